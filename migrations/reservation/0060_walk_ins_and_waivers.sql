-- Staff book for guests who give no e-mail address, and keep less of a cancelled reservation than its policy.
--
-- The release before this one reads an empty address as any other, and writes none.
alter table reservation drop constraint reservation_guest_email_is_short;
alter table reservation add constraint reservation_guest_email_is_short
    check (guest_email = '' or char_length(guest_email) between 3 and 254) not valid;

-- What was kept of a cancelled reservation instead of what its policy keeps. Written once, in the transaction of the
-- cancellation. Minor units.
create table cancellation_waiver (
    hotel_id       integer     not null,
    reservation_id uuid        not null,
    kept_minor     bigint      not null,
    policy_minor   bigint      not null,
    currency       text        not null,
    -- Free text by staff.
    reason         text        not null,
    -- Subject of the token of who waived it; null if that is not known.
    waived_by      text,
    created_at     timestamptz not null default now(),
    constraint cancellation_waiver_pkey primary key (hotel_id, reservation_id),
    constraint cancellation_waiver_keeps_at_most_policy check (0 <= kept_minor and kept_minor <= policy_minor),
    constraint cancellation_waiver_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    constraint cancellation_waiver_reason_is_short check (char_length(reason) between 1 and 200),
    constraint cancellation_waiver_waived_by_is_short check (char_length(waived_by) between 1 and 200)
);
