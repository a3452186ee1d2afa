-- When the owner proved the address, by the link that was mailed to it. Null until then.
alter table user_account add column email_verified_time timestamptz;
-- The language of mails to the owner (ISO 639-1).
alter table user_account add column language text not null default 'en';
-- When the owner deleted the account. Null while it exists. The row stays without personal data: its id owns reservations.
alter table user_account add column deleted_time timestamptz;
alter table user_account add constraint user_account_language_is_known
    check (language in ('en', 'pt', 'de', 'es', 'fr')) not valid;

-- Tokens that were mailed to the owner of an account. As of refresh tokens, only SHA-256 is kept.
create table mail_token (
    token_hash bytea       not null,
    user_id    uuid        not null,
    purpose    text        not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    -- Null until it, or a later one for the same purpose, is used.
    used_at    timestamptz,
    constraint mail_token_pkey primary key (token_hash),
    constraint mail_token_user_account_fkey foreign key (user_id) references user_account (user_id) on delete cascade,
    constraint mail_token_hash_is_sha256 check (octet_length(token_hash) = 32),
    constraint mail_token_purpose_is_known check (purpose in ('confirm_email', 'reset_password')),
    constraint mail_token_ends_after_it_began check (expires_at > created_at)
);
-- The tokens of an account: those that a use voids, and how many were mailed lately.
create index mail_token_user_idx on mail_token (user_id, purpose, created_at);
-- What is to be purged.
create index mail_token_expired_idx on mail_token (expires_at);

create function mail_token_use_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'a used token stays used'
        using errcode = 'check_violation', constraint = 'mail_token_use_is_final';
end $$;
create trigger mail_token_use_is_final before update on mail_token
    for each row when (old.used_at is not null and new.used_at is distinct from old.used_at)
    execute function mail_token_use_is_final();

alter table login drop constraint login_revoke_reason_is_known;
alter table login add constraint login_revoke_reason_is_known check (revoke_reason in (
    'logout', 'role_changed', 'refresh_token_reused', 'logout_everywhere', 'password_changed', 'account_deleted'
)) not valid;
