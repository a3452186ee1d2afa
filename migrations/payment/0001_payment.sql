-- What is paid for a reservation. Money is in the minor units of its currency.
create table payment_order (
    payment_id             uuid        not null,
    reservation_id         uuid        not null,
    hotel_id               integer     not null,
    -- Who booked: the subject of the caller's token.
    owner                  text        not null,
    amount_minor           bigint      not null,
    currency               text        not null,
    status                 text        not null default 'PENDING',
    -- Where the provider's page sends the guest afterwards; empty for nowhere. Kept, because a repeat of the call to the
    -- provider must say the same.
    return_url             text        not null default '',
    -- The provider's id and page. Absent until its answer has been saved.
    psp_session            text,
    checkout_url           text,
    expire_time            timestamptz not null,
    -- The sums of the refunds asked for and confirmed; only the triggers on refund change them.
    refund_requested_minor bigint      not null default 0,
    refunded_minor         bigint      not null default 0,
    -- When to ask the provider next, because its event may be lost, and how often that was done.
    next_check_at          timestamptz not null,
    checks                 integer     not null default 0,
    created_at             timestamptz not null default now(),
    status_changed_at      timestamptz not null default now(),
    constraint payment_order_pkey primary key (payment_id),
    constraint payment_order_hotel_is_positive check (hotel_id > 0),
    constraint payment_order_owner_is_short check (char_length(owner) between 1 and 200),
    constraint payment_order_amount_in_range check (amount_minor between 1 and 999999999999999),
    constraint payment_order_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    constraint payment_order_status_is_known
        check (status in ('PENDING', 'PAID', 'FAILED', 'EXPIRED', 'REFUNDING', 'REFUNDED')),
    constraint payment_order_return_url_is_short check (char_length(return_url) <= 2000),
    constraint payment_order_psp_session_is_short check (char_length(psp_session) between 1 and 200),
    constraint payment_order_checkout_url_is_short check (char_length(checkout_url) between 1 and 2000),
    constraint payment_order_page_has_session check (checkout_url is null or psp_session is not null),
    constraint payment_order_refunds_within_payment
        check (0 <= refunded_minor and refunded_minor <= refund_requested_minor and refund_requested_minor <= amount_minor),
    constraint payment_order_status_fits_refunds check (
        case status
            when 'REFUNDING' then refunded_minor < refund_requested_minor
            when 'REFUNDED' then refunded_minor = refund_requested_minor and refund_requested_minor > 0
            else refund_requested_minor = 0
        end),
    constraint payment_order_checks_not_negative check (checks >= 0)
);
-- One page at a time for a reservation. Not more than that: what the provider says has happened, such as a late payment,
-- must never be refused here.
create unique index payment_order_one_open_key on payment_order (reservation_id) where status = 'PENDING';
create unique index payment_order_psp_session_key on payment_order (psp_session);
create index payment_order_reservation_idx on payment_order (reservation_id, payment_id);
-- The payments of a hotel, newest first.
create index payment_order_hotel_idx on payment_order (hotel_id, payment_id desc);
-- What is to be asked for.
create index payment_order_check_idx on payment_order (next_check_at) where status = 'PENDING';

create function payment_order_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'payments are not forgotten'
            using errcode = 'check_violation', constraint = 'payment_order_terms_are_fixed';
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'PENDING' then
            raise exception 'a payment begins unpaid'
                using errcode = 'check_violation', constraint = 'payment_order_legal_transition';
        end if;
        return new;
    end if;
    if (new.payment_id, new.reservation_id, new.hotel_id, new.owner, new.amount_minor, new.currency, new.return_url,
        new.created_at) is distinct from (old.payment_id, old.reservation_id, old.hotel_id, old.owner,
        old.amount_minor, old.currency, old.return_url, old.created_at)
        or (old.psp_session is not null and new.psp_session is distinct from old.psp_session) then
        raise exception 'what was agreed on does not change'
            using errcode = 'check_violation', constraint = 'payment_order_terms_are_fixed';
    end if;
    -- At depth 1 this is somebody's own update; at 2 it comes from the triggers on refund.
    if pg_trigger_depth() < 2 and (new.refund_requested_minor, new.refunded_minor)
        <> (old.refund_requested_minor, old.refunded_minor) then
        raise exception 'sums of refunds follow from refunds'
            using errcode = 'check_violation', constraint = 'payment_order_sums_follow_refunds';
    end if;
    if new.status <> old.status then
        if (old.status, new.status) not in (
            ('PENDING', 'PAID'), ('PENDING', 'FAILED'), ('PENDING', 'EXPIRED'),
            ('EXPIRED', 'PAID'), ('FAILED', 'PAID'),
            ('PAID', 'REFUNDING'), ('REFUNDING', 'REFUNDED'), ('REFUNDED', 'REFUNDING')
        ) then
            raise exception 'illegal transition'
                using errcode = 'check_violation', constraint = 'payment_order_legal_transition';
        end if;
        new.status_changed_at := now();
    end if;
    return new;
end
$$;
create trigger payment_order_legal_transition before insert or update or delete on payment_order
    for each row execute function payment_order_guard();

-- Money on its way back. What was asked for never changes, and is never more than was paid.
create table refund (
    refund_id    uuid        not null,
    payment_id   uuid        not null,
    -- Why: a cancellation, rooms that could not be given, or because an administrator asked.
    reason       text        not null,
    -- Makes a repeat of the same request the same refund.
    request_id   uuid        not null,
    amount_minor bigint      not null,
    status       text        not null default 'REQUESTED',
    -- The provider's id of it, once it is known.
    psp_refund   text,
    created_at   timestamptz not null default now(),
    succeeded_at timestamptz,
    constraint refund_pkey primary key (refund_id),
    constraint refund_request_key unique (reason, request_id),
    constraint refund_payment_fkey foreign key (payment_id) references payment_order (payment_id),
    constraint refund_reason_is_known check (reason in ('CANCELLATION', 'ROOMS_GONE', 'REQUESTED')),
    constraint refund_amount_is_positive check (amount_minor > 0),
    constraint refund_status_is_known check (status in ('REQUESTED', 'SUCCEEDED')),
    constraint refund_psp_refund_is_short check (char_length(psp_refund) between 1 and 200),
    constraint refund_succeeded_at_some_time check ((status = 'SUCCEEDED') = (succeeded_at is not null))
);
create index refund_payment_idx on refund (payment_id);

create function refund_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.status <> 'REQUESTED' then
            raise exception 'a refund begins as a request'
                using errcode = 'check_violation', constraint = 'refund_legal_transition';
        end if;
        return new;
    end if;
    if tg_op = 'DELETE' then
        raise exception 'refunds are not forgotten'
            using errcode = 'check_violation', constraint = 'refund_legal_transition';
    end if;
    if (new.refund_id, new.payment_id, new.reason, new.request_id, new.amount_minor, new.created_at)
        is distinct from (old.refund_id, old.payment_id, old.reason, old.request_id, old.amount_minor, old.created_at)
        or (old.status = 'SUCCEEDED' and new is distinct from old) then
        raise exception 'what was asked for does not change'
            using errcode = 'check_violation', constraint = 'refund_legal_transition';
    end if;
    return new;
end
$$;
create trigger refund_legal_transition before insert or update or delete on refund
    for each row execute function refund_guard();

-- The payment follows its refunds: sums and status. The update also locks the payment, so that its refunds are added up
-- one after the other.
create function refund_add_up() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        update payment_order
        set refund_requested_minor = refund_requested_minor + new.amount_minor, status = 'REFUNDING'
        where payment_id = new.payment_id;
    elsif new.status = 'SUCCEEDED' and old.status = 'REQUESTED' then
        update payment_order
        set refunded_minor = refunded_minor + new.amount_minor,
            status = case when refunded_minor + new.amount_minor = refund_requested_minor then 'REFUNDED' else status end
        where payment_id = new.payment_id;
    end if;
    return null;
end
$$;
create trigger refund_add_up after insert or update on refund for each row execute function refund_add_up();

-- The provider's events that were taken, so that each counts once. The body is not kept, its digest is.
create table psp_event (
    psp_event_id text        not null,
    kind         text        not null,
    -- Absent for events of a kind that says nothing to us.
    payment_id   uuid,
    body_sha256  bytea       not null,
    outcome      text        not null,
    received_at  timestamptz not null default now(),
    constraint psp_event_pkey primary key (psp_event_id),
    constraint psp_event_id_is_short check (char_length(psp_event_id) between 1 and 200),
    constraint psp_event_kind_is_short check (char_length(kind) between 1 and 100),
    constraint psp_event_payment_fkey foreign key (payment_id) references payment_order (payment_id),
    constraint psp_event_digest_is_sha256 check (octet_length(body_sha256) = 32),
    -- MISMATCHED: amount, currency or refund is not what was agreed on; somebody must look.
    constraint psp_event_outcome_is_known check (outcome in ('APPLIED', 'UNCHANGED', 'IGNORED', 'MISMATCHED'))
);
create index psp_event_payment_idx on psp_event (payment_id);
create index psp_event_mismatched_idx on psp_event (received_at) where outcome = 'MISMATCHED';
