-- no-transaction
-- Reservations by guest and client reference. An unpaid hold is not in it, so that a booking does not pay for it before it is
-- paid.
create index concurrently reservation_search_idx on reservation
    using gin (reservation_search(hotel_id, guest_name, guest_email, client_reference)) where status <> 'pending_payment';
