-- People. The address is kept in lower case, so that its key holds for every spelling.
create table user_account (
    user_id       uuid        not null,
    email         text        not null,
    password_hash text        not null,
    display_name  text        not null,
    role          text        not null default 'guest',
    -- Null when the sign-up named no request id.
    request_id    uuid,
    created_at    timestamptz not null default now(),
    constraint user_account_pkey primary key (user_id),
    constraint user_account_email_key unique (email),
    constraint user_account_request_id_key unique (request_id),
    -- What staff_hotel refers to.
    constraint user_account_user_id_role_key unique (user_id, role),
    constraint user_account_email_is_normal check (
        email = lower(email) and email ~ '^[!-~]+@[!-~]+$' and char_length(email) <= 254
    ),
    constraint user_account_password_is_hashed check (
        password_hash like '$argon2id$%' and char_length(password_hash) <= 300
    ),
    constraint user_account_display_name_is_short check (char_length(display_name) <= 100),
    constraint user_account_role_is_known check (role in ('guest', 'staff', 'admin'))
);

-- The hotels that staff work for. The role is part of the reference, so nobody but staff can have any.
create table staff_hotel (
    user_id  uuid    not null,
    hotel_id integer not null,
    role     text    not null default 'staff',
    constraint staff_hotel_pkey primary key (user_id, hotel_id),
    constraint staff_hotel_is_of_staff check (role = 'staff'),
    constraint staff_hotel_user_account_fkey foreign key (user_id, role)
        references user_account (user_id, role) on delete cascade,
    constraint staff_hotel_hotel_id_positive check (hotel_id > 0)
);

-- One login of a person: what access tokens name as sid, and what is revoked.
create table login (
    login_id          uuid        not null,
    user_id           uuid        not null,
    created_at        timestamptz not null default now(),
    -- When its newest refresh token ends.
    expires_at        timestamptz not null,
    -- When its newest access token ends.
    access_expires_at timestamptz not null,
    -- Both null while the login is good.
    revoked_at        timestamptz,
    revoke_reason     text,
    constraint login_pkey primary key (login_id),
    constraint login_user_account_fkey foreign key (user_id) references user_account (user_id) on delete cascade,
    constraint login_ends_after_it_began check (expires_at > created_at and access_expires_at > created_at),
    constraint login_revocation_has_a_reason check ((revoked_at is null) = (revoke_reason is null)),
    constraint login_revoke_reason_is_known check (revoke_reason in ('logout', 'role_changed', 'refresh_token_reused'))
);
-- The logins of a person that a change of role ends.
create index login_user_idx on login (user_id);
-- What is to be purged.
create index login_expired_idx on login (expires_at);

-- Refresh tokens, used ones too: a second use must be recognised. Of the token itself only SHA-256 is kept; it has
-- 256 random bits, so the hash cannot be reversed by guessing.
create table refresh_token (
    token_hash bytea       not null,
    login_id   uuid        not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    -- Null until it is used.
    used_at    timestamptz,
    constraint refresh_token_pkey primary key (token_hash),
    constraint refresh_token_login_fkey foreign key (login_id) references login (login_id) on delete cascade,
    constraint refresh_token_hash_is_sha256 check (octet_length(token_hash) = 32),
    constraint refresh_token_ends_after_it_began check (expires_at > created_at)
);
-- The tokens that go with a login.
create index refresh_token_login_idx on refresh_token (login_id);
-- What is to be purged.
create index refresh_token_expired_idx on refresh_token (expires_at);

-- A revocation is for good.
create function login_revocation_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'a revoked login stays revoked'
        using errcode = 'check_violation', constraint = 'login_revocation_is_final';
end $$;
create trigger login_revocation_is_final before update on login
    for each row when (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
    execute function login_revocation_is_final();

-- So is the use of a refresh token.
create function refresh_token_use_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'a used refresh token stays used'
        using errcode = 'check_violation', constraint = 'refresh_token_use_is_final';
end $$;
create trigger refresh_token_use_is_final before update on refresh_token
    for each row when (old.used_at is not null and new.used_at is distinct from old.used_at)
    execute function refresh_token_use_is_final();
