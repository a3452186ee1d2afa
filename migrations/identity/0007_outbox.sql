alter table user_account validate constraint user_account_language_is_known;
alter table login validate constraint login_revoke_reason_is_known;

-- Mails to send, and deleted accounts that the reservation service has to learn of. Addresses in payloads are sealed.
create table outbox (
    event_id        bigint      generated always as identity,
    aggregate_id    uuid        not null,
    kind            text        not null,
    payload         jsonb       not null,
    trace_parent    text,
    created_at      timestamptz not null default now(),
    attempts        integer     not null default 0,
    next_attempt_at timestamptz not null default now(),
    last_error      text,
    delivered_at    timestamptz,
    parked_at       timestamptz,
    constraint outbox_pkey primary key (event_id),
    constraint outbox_kind_is_short check (char_length(kind) between 1 and 100),
    constraint outbox_payload_is_small check (pg_column_size(payload) <= 65536),
    constraint outbox_trace_parent_is_short check (char_length(trace_parent) <= 100),
    constraint outbox_last_error_is_short check (char_length(last_error) <= 500),
    constraint outbox_attempts_not_negative check (attempts >= 0),
    constraint outbox_not_delivered_and_parked check (delivered_at is null or parked_at is null)
);
-- What is due, longest due first.
create index outbox_due_idx on outbox (next_attempt_at, event_id) where delivered_at is null and parked_at is null;
-- Whether an aggregate has an earlier event to go.
create index outbox_order_idx on outbox (aggregate_id, event_id) where delivered_at is null and parked_at is null;
-- What staff look after.
create index outbox_parked_idx on outbox (event_id) where parked_at is not null;
-- What is to be purged.
create index outbox_delivered_idx on outbox (delivered_at) where delivered_at is not null;
