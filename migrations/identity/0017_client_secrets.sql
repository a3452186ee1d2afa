-- The secrets of clients: the newest, a former one that stays valid while the client changes over, and those that ended.
create table client_secret (
    secret_id               uuid        not null default gen_random_uuid(),
    client_id               text        not null,
    -- SHA-256 of the secret. Null once it has ended.
    secret_hash             bytea,
    created_at              timestamptz not null default now(),
    -- When a former secret stops being valid. Null for the newest.
    expires_at              timestamptz,
    -- When it ended: expired, revoked, or replaced by an operator. Null while it is live.
    ended_at                timestamptz,
    -- When it was revoked, with the tokens that were issued with it. Null otherwise.
    revoked_at              timestamptz,
    -- The latest day (UTC) of a token issued with it. Null before the first.
    used_on                 date,
    -- The request that issued it, so that a repeat gets the same answer. Null when it named none.
    request_id              uuid,
    -- What that request asked for. Null for the default.
    request_overlap_seconds integer,
    constraint client_secret_pkey primary key (secret_id),
    constraint client_secret_client_fkey foreign key (client_id) references client (client_id),
    constraint client_secret_request_id_key unique (request_id),
    constraint client_secret_hash_is_sha256 check (octet_length(secret_hash) = 32),
    constraint client_secret_ended_has_no_hash check ((ended_at is null) = (secret_hash is not null)),
    constraint client_secret_revoked_has_ended check (revoked_at is null or ended_at is not null),
    constraint client_secret_overlap_within_30_days check (request_overlap_seconds between 0 and 2592000)
);
-- A client has at most two live secrets: one newest and one former.
create unique index client_secret_newest_key on client_secret (client_id) where ended_at is null and expires_at is null;
create unique index client_secret_former_key on client_secret (client_id)
    where ended_at is null and expires_at is not null;
-- The live secrets of a client, for each token.
create index client_secret_live_idx on client_secret (client_id) where ended_at is null;
-- Revoked secrets whose tokens may not have expired, which every service reads.
create index client_secret_revoked_idx on client_secret (revoked_at) where revoked_at is not null;

create function client_secret_end_is_final() returns trigger language plpgsql as $$
begin
    raise exception 'an ended secret stays ended'
        using errcode = 'check_violation', constraint = 'client_secret_end_is_final', table = 'client_secret';
end
$$;
create trigger client_secret_end_is_final before update on client_secret
    for each row when (old.ended_at is not null and new.ended_at is distinct from old.ended_at)
    execute function client_secret_end_is_final();

-- There are few clients, so their secrets are copied in place.
insert into client_secret (client_id, secret_hash, created_at)
select client_id, secret_hash, created_at from client where deleted_at is null;

-- client.secret_hash remains the newest secret while the release before this one reads and writes it. A secret that is
-- written there alone, by a registration or an operator, is then the only one of its client.
create function client_secret_follows_client() returns trigger language plpgsql as $$
begin
    if not exists (
        select from client_secret
        where client_id = new.client_id and ended_at is null and expires_at is null and secret_hash = new.secret_hash
    ) then
        update client_secret set ended_at = now(), secret_hash = null
        where client_id = new.client_id and ended_at is null;
        insert into client_secret (client_id, secret_hash) values (new.client_id, new.secret_hash);
    end if;
    return null;
end
$$;
create trigger client_secret_follows_client after insert or update of secret_hash on client
    for each row execute function client_secret_follows_client();
