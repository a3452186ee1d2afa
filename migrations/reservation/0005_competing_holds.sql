-- "Somebody is paying": finds the unpaid hold on a room type that ends first.
create index reservation_competing_hold_idx on reservation (hotel_id, room_type_id, hold_expire_time)
    where status = 'pending_payment';
