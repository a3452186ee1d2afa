-- Validates the constraint of migration 0070, while bookings go on. Every row has met the one before, which says the same.
alter table reservation validate constraint reservation_id_names_its_hotel;
