-- no-transaction
-- An account's reservations, the latest created first.
create index concurrently reservation_owner_list_idx on reservation (owner, create_time desc, reservation_id desc);
