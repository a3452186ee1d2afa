-- no-transaction
-- A hotel's reservations, the latest created first.
create index concurrently reservation_hotel_list_idx on reservation (hotel_id, create_time desc, reservation_id desc);
