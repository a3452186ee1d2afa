-- no-transaction
-- A hotel's reservations by the dates of their stays. Unpaid holds are few and are found by reservation_hotel_hold_idx, so a
-- booking does not pay for this one before it is paid.
create index concurrently reservation_hotel_stay_idx on reservation (hotel_id, check_in, check_out)
    where status <> 'pending_payment';
