-- Guest checkout: who books without an account gets a row with an address of its own column, which is not unique and is
-- no login name. `email` is then a placeholder that receives no mail (RFC 2606), and there is no password. Null for accounts.
alter table user_account add column checkout_email text;
alter table user_account add constraint user_account_checkout_email_is_normal check (
    checkout_email is null
    or (checkout_email = lower(checkout_email) and checkout_email ~ '^[!-~]+@[!-~]+$' and char_length(checkout_email) <= 254)
) not valid;
alter table user_account add constraint user_account_checkout_has_no_login check (
    checkout_email is null
    or (email = user_id::text || '@checkout.invalid' and password_hash = '$argon2id$none' and role = 'guest')
) not valid;

-- Keys of mailed booking links, for guests without an account. As of refresh tokens, only SHA-256 is kept. A revoked key
-- keeps its row until it expires.
create table guest_key (
    key_hash   bytea       not null,
    user_id    uuid        not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    -- Null unless the guest ended all access.
    revoked_at timestamptz,
    constraint guest_key_pkey primary key (key_hash),
    constraint guest_key_user_account_fkey foreign key (user_id) references user_account (user_id) on delete cascade,
    constraint guest_key_hash_is_sha256 check (octet_length(key_hash) = 32),
    constraint guest_key_ends_after_it_began check (expires_at > created_at)
);
-- The keys of a guest: those that are revoked together, and whether any is left.
create index guest_key_user_idx on guest_key (user_id);
-- What is to be purged.
create index guest_key_expired_idx on guest_key (expires_at);

create function guest_key_revocation_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'a revoked key stays revoked'
        using errcode = 'check_violation', constraint = 'guest_key_revocation_is_final';
end $$;
create trigger guest_key_revocation_is_final before update on guest_key
    for each row when (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at)
    execute function guest_key_revocation_is_final();
