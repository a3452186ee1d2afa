-- The credit of partners who collect: a limit for each partner and currency, the sales that it refused, and what partners
-- have paid. What a partner owes is the balance of its receivable account in the ledger; nothing here repeats it.

-- One row for each partner and currency. Sales and payments of a partner lock it, so that they are decided one after the
-- other.
create table partner_credit (
    partner     text        not null,
    currency    text        not null,
    -- The most that the partner may owe, in minor units. Null: no administrator has set one, the default of the setting holds.
    limit_minor bigint,
    -- Counts the changes of the limit.
    version     integer     not null default 0,
    update_time timestamptz not null default now(),
    constraint partner_credit_pkey primary key (partner, currency),
    constraint partner_credit_partner_is_short check (char_length(partner) between 1 and 200),
    constraint partner_credit_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    constraint partner_credit_limit_in_range check (limit_minor between 0 and 999999999999999)
);

-- Sales that were refused because of the limit. A refusal is final: a repeat of the request gets the same answer, and the
-- reservation was released because of it. In minor units.
create table partner_sale_refusal (
    reservation_id uuid        not null,
    partner        text        not null,
    currency       text        not null,
    amount_minor   bigint      not null,
    limit_minor    bigint      not null,
    -- What the partner owed.
    used_minor     bigint      not null,
    create_time    timestamptz not null default now(),
    constraint partner_sale_refusal_pkey primary key (reservation_id),
    constraint partner_sale_refusal_partner_is_short check (char_length(partner) between 1 and 200),
    constraint partner_sale_refusal_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    constraint partner_sale_refusal_exceeds_limit check (used_minor + amount_minor > limit_minor)
);

-- What partners have paid to the chain.
create table partner_payment (
    partner_payment_id uuid        not null,
    request_id         uuid        not null,
    partner            text        not null,
    amount_minor       bigint      not null,
    currency           text        not null,
    -- The bank's reference of the transfer.
    reference          text        not null,
    -- Whether what is more than the debt was to be kept as credit.
    keep_credit        boolean     not null,
    create_time        timestamptz not null default now(),
    constraint partner_payment_pkey primary key (partner_payment_id),
    constraint partner_payment_request_key unique (request_id),
    constraint partner_payment_partner_is_short check (char_length(partner) between 1 and 200),
    constraint partner_payment_amount_in_range check (amount_minor between 1 and 999999999999999),
    constraint partner_payment_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    constraint partner_payment_reference_is_short check (char_length(reference) between 1 and 200)
);
-- A partner's payments, newest first.
create index partner_payment_partner_idx on partner_payment (partner, partner_payment_id desc);

create function partner_payment_is_kept() returns trigger language plpgsql as $$
begin
    raise exception 'payments and refusals of partners do not change'
        using errcode = 'check_violation', constraint = tg_argv[0];
end
$$;
create trigger partner_payment_is_final before update or delete or truncate on partner_payment
    for each statement execute function partner_payment_is_kept('partner_payment_is_final');
create trigger partner_sale_refusal_is_final before update or delete or truncate on partner_sale_refusal
    for each statement execute function partner_payment_is_kept('partner_sale_refusal_is_final');

-- Judged at commit: a payment is in the ledger, with its amount.
create function partner_payment_judge() returns trigger language plpgsql as $$
begin
    if not exists (
        select from ledger_transaction t
        join ledger_entry e using (transaction_id)
        join ledger_account a using (account_id)
        where t.kind = 'PARTNER_PAID' and t.source_id = new.partner_payment_id
            and a.kind = 'PARTNER_RECEIVABLE' and a.partner = new.partner
            and (e.amount_minor, e.currency) = (-new.amount_minor, new.currency)) then
        raise exception 'a payment of a partner is in the ledger'
            using errcode = 'check_violation', constraint = 'partner_payment_is_posted';
    end if;
    return null;
end
$$;
create constraint trigger partner_payment_is_posted after insert on partner_payment
    deferrable initially deferred for each row execute function partner_payment_judge();

-- A sale that was refused is never recorded, and a recorded one never refused.
create function partner_sale_refused() returns trigger language plpgsql as $$
begin
    if exists (select from partner_sale_refusal where reservation_id = new.reservation_id)
        and exists (select from partner_sale where reservation_id = new.reservation_id) then
        raise exception 'a sale is recorded or refused'
            using errcode = 'check_violation', constraint = 'partner_sale_recorded_or_refused';
    end if;
    return null;
end
$$;
create constraint trigger partner_sale_recorded_or_refused after insert on partner_sale
    deferrable initially deferred for each row execute function partner_sale_refused();
create constraint trigger partner_sale_refused_or_recorded after insert on partner_sale_refusal
    deferrable initially deferred for each row execute function partner_sale_refused();

-- The chain's bank account, to which partners pay; and their payments.
alter table ledger_account drop constraint ledger_account_kind_is_known;
alter table ledger_account add constraint ledger_account_kind_is_known check (kind in ('GUEST_RECEIVABLE', 'PSP_CLEARING',
    'PARTNER_RECEIVABLE', 'HOTEL_PAYABLE', 'COMMISSION_REVENUE', 'TAX_PAYABLE', 'REFUNDS', 'BANK')) not valid;
alter table ledger_transaction drop constraint ledger_transaction_kind_is_known;
alter table ledger_transaction add constraint ledger_transaction_kind_is_known check (kind in ('SALE', 'CHARGE',
    'REFUND_OWED', 'REFUND_PAID', 'PARTNER_SALE', 'PARTNER_CREDIT', 'PARTNER_PAID', 'PAY_OUT', 'CORRECTION')) not valid;
