-- no-transaction
-- The unpaid holds of a hotel, the one that ends first first: for rooms of any type.
create index concurrently reservation_hotel_hold_idx on reservation (hotel_id, hold_expire_time)
    where status = 'pending_payment';
