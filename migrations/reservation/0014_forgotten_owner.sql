-- Owners whose account was deleted. Personal data in their reservations is erased as soon as each is over.
create table forgotten_owner (
    owner      text        not null,
    deleted_at timestamptz not null default now(),
    -- When the last reservation was erased; null while one is still needed.
    erased_at  timestamptz,
    constraint forgotten_owner_pkey primary key (owner),
    constraint forgotten_owner_is_short check (char_length(owner) between 1 and 100)
);
-- The owners that are not done.
create index forgotten_owner_pending_idx on forgotten_owner (deleted_at) where erased_at is null;
