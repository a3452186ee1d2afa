-- no-transaction
-- Only bookings with a reference pay for it.
create unique index concurrently reservation_client_reference_idx on reservation (owner, client_reference)
    where client_reference is not null;
