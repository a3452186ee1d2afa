-- no-transaction
-- Rooms by their guest; most have none of their own.
create index concurrently reservation_room_guest_search_idx on reservation_room
    using gin (room_guest_search(hotel_id, guest)) where guest is not null;
