-- no-transaction
-- Ordered by the ids' own times, which callers choose; lists are ordered by create_time now. A release that still reads by
-- it finds the account's rows through the index on (owner, create_time).
drop index concurrently reservation_owner_idx;
