-- What was kept of an early departure instead of what its terms keep, as `cancellation_waiver` has it of cancellations. Written once,
-- in the transaction of the departure. Minor units.
create table departure_waiver (
    hotel_id       integer     not null,
    reservation_id uuid        not null,
    -- That of the revision.
    request_id     uuid        not null,
    kept_minor     bigint      not null,
    policy_minor   bigint      not null,
    currency       text        not null,
    -- Free text by staff.
    reason         text        not null,
    -- Subject of the token of who waived it; null if that is not known.
    waived_by      text,
    created_at     timestamptz not null default now(),
    constraint departure_waiver_pkey primary key (hotel_id, reservation_id, request_id),
    constraint departure_waiver_keeps_at_most_policy check (0 <= kept_minor and kept_minor <= policy_minor),
    constraint departure_waiver_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    constraint departure_waiver_reason_is_short check (char_length(reason) between 1 and 200),
    constraint departure_waiver_waived_by_is_short check (char_length(waived_by) between 1 and 200)
);
