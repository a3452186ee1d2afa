-- Programs that call with client credentials. A deleted one keeps its row: its id owns reservations, so nobody else may
-- ever get it.
create table client (
    client_id    text        not null,
    display_name text        not null,
    role         text        not null,
    -- SHA-256 of the secret, which has at least 32 characters that nobody chose by heart.
    secret_hash  bytea       not null,
    created_at   timestamptz not null default now(),
    -- Null while it is registered.
    deleted_at   timestamptz,
    constraint client_pkey primary key (client_id),
    constraint client_id_is_well_formed check (client_id ~ '^[a-z0-9-]{3,64}$'),
    constraint client_display_name_is_short check (char_length(display_name) <= 100),
    constraint client_role_is_known check (role in ('partner', 'service')),
    constraint client_secret_hash_is_sha256 check (octet_length(secret_hash) = 32)
);
-- Registered clients, newest first.
create index client_newest_idx on client (created_at desc, client_id desc) where deleted_at is null;

-- The keys that access tokens are signed with. The private half is sealed with AES-256-GCM under a key that only the
-- service's environment has, and bound to key_id.
create table signing_key (
    key_id             text        not null,
    x                  text        not null,
    y                  text        not null,
    sealed_private_key bytea       not null,
    created_at         timestamptz not null default now(),
    -- It is published from the beginning and signs from here on, unless a newer one does.
    signs_from         timestamptz not null default now(),
    -- When the last token it signed has ended; null while no newer key is to take over.
    ends_at            timestamptz,
    constraint signing_key_pkey primary key (key_id),
    constraint signing_key_id_is_a_thumbprint check (key_id ~ '^[A-Za-z0-9_-]{43}$'),
    constraint signing_key_is_a_point check (x ~ '^[A-Za-z0-9_-]{43}$' and y ~ '^[A-Za-z0-9_-]{43}$'),
    constraint signing_key_is_sealed check (octet_length(sealed_private_key) between 60 and 1000),
    constraint signing_key_ends_after_it_signs check (ends_at > signs_from)
);
-- However many processes rotate at once, one key is the newest.
create unique index signing_key_newest_key on signing_key ((true)) where ends_at is null;
