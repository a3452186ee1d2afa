-- A hotel that has no room cancels: a reason of its own, because nothing is kept.
--
-- A release of before cannot read a reservation with this reason, so the edge lets the field of the request through when every
-- replica is new. Not validated here: the constraint allows more than that of before.
alter table reservation drop constraint reservation_cancellation_has_a_reason;
alter table reservation add constraint reservation_cancellation_has_a_reason check (
    (status in ('cancelled', 'refunded')) = (cancellation_reason is not null)
    and (cancellation_reason is null
        or cancellation_reason in ('requested', 'hold_expired', 'no_show', 'cancelled_by_hotel'))
) not valid;

-- Why a hotel cancelled a reservation. Written once, in the transaction of the cancellation.
create table hotel_cancellation (
    hotel_id       integer     not null,
    reservation_id uuid        not null,
    -- Free text by staff.
    reason         text        not null,
    -- The reservation at another hotel that the guests have instead; null if none is known.
    relocated_to   uuid,
    -- Subject of the token of who cancelled it; null if that is not known.
    cancelled_by   text,
    created_at     timestamptz not null default now(),
    constraint hotel_cancellation_pkey primary key (hotel_id, reservation_id),
    constraint hotel_cancellation_reason_is_short check (char_length(reason) between 1 and 200),
    constraint hotel_cancellation_cancelled_by_is_short check (char_length(cancelled_by) between 1 and 200)
);
