-- Money of changes of a reservation, by revision: 1 is the booking itself, a higher number the change that makes it.
--
-- The release before this one runs beside it: it inserts into payment_event with `on conflict (reservation_id)` and into
-- payment_order with `on conflict (reservation_id) where status = 'PENDING'`, without a revision. So the keys of both
-- stay: payment_event has the terms of bookings, payment_change those of changes, and a reservation has one open page at
-- a time, of whatever revision. It reads refunds of a change as requested ones, because it knows no other reason.
-- The contract step comes when no release before this one runs any more: payment_event gets the revision into its key and
-- takes over payment_change, and refund.reason gets CHANGE.

-- What is to be paid for a change, by whom, to which hotel. Written once, like payment_event.
create table payment_change (
    reservation_id uuid        not null,
    revision       integer     not null,
    hotel_id       integer     not null,
    -- Subject of the token that created the reservation.
    owner          text        not null,
    amount_minor   bigint      not null,
    currency       text        not null,
    created_at     timestamptz not null default now(),
    constraint payment_change_pkey primary key (reservation_id, revision),
    constraint payment_change_revision_is_of_change check (revision > 1),
    constraint payment_change_hotel_is_positive check (hotel_id > 0),
    constraint payment_change_owner_is_short check (char_length(owner) between 1 and 200),
    constraint payment_change_amount_in_range check (amount_minor between 1 and 999999999999999),
    constraint payment_change_currency_is_code check (currency ~ '^[A-Z]{3}$')
);

-- How a change was settled, once: what it gave back of which payments, or that it was dropped. Minor units.
create table change_settlement (
    reservation_id uuid        not null,
    revision       integer     not null,
    -- The content of the request.
    dropped        boolean     not null,
    refund_minor   bigint      not null,
    currency       text        not null,
    -- The sale afterwards if a partner collects, else null.
    partner        text,
    sale_minor     bigint,
    sale_tax_minor bigint,
    -- Sum of the refunds that were requested: less than refund_minor only if no more was left of what was paid.
    given_minor    bigint      not null,
    -- Check-out date of the stay after the change; null if it was dropped.
    check_out      date,
    created_at     timestamptz not null default now(),
    constraint change_settlement_pkey primary key (reservation_id, revision),
    constraint change_settlement_revision_is_of_change check (revision > 1),
    constraint change_settlement_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    constraint change_settlement_gives_at_most_refund check (0 <= given_minor and given_minor <= refund_minor),
    constraint change_settlement_dropped_changes_nothing
        check (not dropped or (refund_minor = 0 and check_out is null)),
    constraint change_settlement_sale_is_whole
        check ((partner is null) = (sale_minor is null) and (partner is null) = (sale_tax_minor is null)),
    constraint change_settlement_partner_is_short check (char_length(partner) between 1 and 200)
);

-- What the end of a reservation gives back in all of its payments, in minor units, without what changes gave back.
create table cancellation_settlement (
    reservation_id uuid        not null,
    refund_minor   bigint      not null,
    currency       text        not null,
    update_time    timestamptz not null default now(),
    constraint cancellation_settlement_pkey primary key (reservation_id),
    constraint cancellation_settlement_refund_not_negative check (refund_minor >= 0),
    constraint cancellation_settlement_currency_is_code check (currency ~ '^[A-Z]{3}$')
);

-- Changes of partner sales. A change is recorded before the reservation applies it (AMENDED), and settled when it was
-- applied or dropped (SETTLED). Minor units.
create table partner_sale_change (
    -- Source of the posting of the difference.
    change_id               uuid        not null,
    reservation_id          uuid        not null,
    revision                integer     not null,
    stage                   text        not null,
    -- The whole sale afterwards.
    amount_minor            bigint      not null,
    tax_minor               bigint      not null,
    commission_minor        bigint      not null,
    check_out               date        not null,
    -- And before.
    before_amount_minor     bigint      not null,
    before_tax_minor        bigint      not null,
    before_commission_minor bigint      not null,
    before_check_out        date        not null,
    created_at              timestamptz not null default now(),
    constraint partner_sale_change_pkey primary key (change_id),
    constraint partner_sale_change_stage_key unique (reservation_id, revision, stage),
    constraint partner_sale_change_sale_fkey foreign key (reservation_id) references partner_sale (reservation_id),
    constraint partner_sale_change_revision_is_of_change check (revision > 1),
    constraint partner_sale_change_stage_is_known check (stage in ('AMENDED', 'SETTLED'))
);

create function change_money_is_kept() returns trigger language plpgsql as $$
begin
    raise exception 'terms and settlements of a change do not change'
        using errcode = 'check_violation', constraint = tg_argv[0];
end
$$;
create trigger payment_change_terms_are_fixed before update or delete or truncate on payment_change
    for each statement execute function change_money_is_kept('payment_change_terms_are_fixed');
create trigger change_settlement_is_final before update or delete or truncate on change_settlement
    for each statement execute function change_money_is_kept('change_settlement_is_final');
create trigger partner_sale_change_is_final before update or delete or truncate on partner_sale_change
    for each statement execute function change_money_is_kept('partner_sale_change_is_final');
create trigger cancellation_settlement_is_kept before delete or truncate on cancellation_settlement
    for each statement execute function change_money_is_kept('cancellation_settlement_is_kept');

alter table payment_order
    add column revision integer not null default 1,
    -- When the reservation service did not accept the payment, so that all of it goes back; null while it pays for it.
    add column refused_at timestamptz,
    add constraint payment_order_revision_is_positive check (revision > 0) not valid,
    -- The trigger below checks it by revision.
    drop constraint payment_order_event_fkey;

-- What the foreign key checked, for the terms of the payment's revision. Terms are never changed or deleted.
create function payment_order_has_terms() returns trigger language plpgsql as $$
begin
    if new.revision = 1 and not exists (
            select from payment_event e where e.reservation_id = new.reservation_id
                and (e.hotel_id, e.owner, e.amount_minor, e.currency)
                    = (new.hotel_id, new.owner, new.amount_minor, new.currency))
        or new.revision <> 1 and not exists (
            select from payment_change c where c.reservation_id = new.reservation_id and c.revision = new.revision
                and (c.hotel_id, c.owner, c.amount_minor, c.currency)
                    = (new.hotel_id, new.owner, new.amount_minor, new.currency)) then
        raise exception 'a payment has the terms of its revision'
            using errcode = 'foreign_key_violation', constraint = 'payment_order_event_fkey';
    end if;
    return null;
end
$$;
create trigger payment_order_has_terms after insert on payment_order
    for each row execute function payment_order_has_terms();

create or replace function payment_order_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'payments are not deleted'
            using errcode = 'check_violation', constraint = 'payment_order_terms_are_fixed';
    end if;
    if tg_op = 'INSERT' then
        if new.status <> 'PENDING' then
            raise exception 'a payment begins unpaid'
                using errcode = 'check_violation', constraint = 'payment_order_legal_transition';
        end if;
        return new;
    end if;
    if (new.payment_id, new.reservation_id, new.revision, new.hotel_id, new.owner, new.amount_minor, new.currency,
        new.tax_minor, new.commission_minor, new.check_out, new.return_url, new.created_at)
        is distinct from (old.payment_id, old.reservation_id, old.revision, old.hotel_id, old.owner, old.amount_minor,
        old.currency, old.tax_minor, old.commission_minor, old.check_out, old.return_url, old.created_at)
        or (old.psp_session is not null and new.psp_session is distinct from old.psp_session) then
        raise exception 'the terms of a payment do not change'
            using errcode = 'check_violation', constraint = 'payment_order_terms_are_fixed';
    end if;
    -- At depth 1 this is an update of its own; at 2 it comes from the triggers on refund.
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

alter table refund
    -- The change that gives it back; null for every other reason.
    add column revision integer,
    add constraint refund_of_change_is_requested
        check (revision is null or (revision > 1 and reason = 'REQUESTED' and not goodwill)) not valid;

create or replace function refund_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.status <> 'REQUESTED' then
            raise exception 'a refund begins as a request'
                using errcode = 'check_violation', constraint = 'refund_legal_transition';
        end if;
        return new;
    end if;
    if tg_op = 'DELETE' then
        raise exception 'refunds are not deleted'
            using errcode = 'check_violation', constraint = 'refund_legal_transition';
    end if;
    if (new.refund_id, new.payment_id, new.reason, new.request_id, new.amount_minor, new.goodwill, new.requested_rest,
        new.revision, new.created_at)
        is distinct from (old.refund_id, old.payment_id, old.reason, old.request_id, old.amount_minor, old.goodwill,
        old.requested_rest, old.revision, old.created_at)
        or (old.status = 'SUCCEEDED' and new is distinct from old) then
        raise exception 'the content of a refund does not change'
            using errcode = 'check_violation', constraint = 'refund_legal_transition';
    end if;
    return new;
end
$$;

alter table partner_sale add column revision integer not null default 1;

create or replace function partner_sale_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.credited_minor <> 0 or new.cancelled_at is not null then
            raise exception 'a sale begins uncancelled'
                using errcode = 'check_violation', constraint = 'partner_sale_is_credited_once';
        end if;
        return new;
    end if;
    if tg_op = 'DELETE' then
        raise exception 'sales are not deleted'
            using errcode = 'check_violation', constraint = 'partner_sale_terms_are_fixed';
    end if;
    -- Only a change of the reservation changes amount and dates, and none does after the cancellation.
    if (new.reservation_id, new.hotel_id, new.partner, new.currency, new.created_at)
        is distinct from (old.reservation_id, old.hotel_id, old.partner, old.currency, old.created_at)
        or new.revision < old.revision
        or ((new.revision = 1 or old.cancelled_at is not null)
            and (new.amount_minor, new.tax_minor, new.commission_minor, new.check_out, new.revision)
            is distinct from (old.amount_minor, old.tax_minor, old.commission_minor, old.check_out, old.revision)) then
        raise exception 'the terms of a sale do not change'
            using errcode = 'check_violation', constraint = 'partner_sale_terms_are_fixed';
    end if;
    if old.cancelled_at is not null
        and (new.credited_minor, new.cancelled_at) is distinct from (old.credited_minor, old.cancelled_at) then
        raise exception 'a cancellation is settled once'
            using errcode = 'check_violation', constraint = 'partner_sale_is_credited_once';
    end if;
    return new;
end
$$;

alter table ledger_transaction drop constraint ledger_transaction_kind_is_known;
alter table ledger_transaction add constraint ledger_transaction_kind_is_known check (kind in ('SALE', 'CHARGE',
    'REFUND_OWED', 'REFUND_PAID', 'PARTNER_SALE', 'PARTNER_CHANGE', 'PARTNER_CREDIT', 'PARTNER_PAID', 'PAY_OUT',
    'CORRECTION')) not valid;
