-- no-transaction
-- Rooms whose guests are in the house, by their departure.
create index concurrently reservation_room_in_house_idx on reservation_room (check_out) where status = 'in_house';
