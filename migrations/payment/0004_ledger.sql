-- Who has what: double entry, written once. Money is in the minor units of its currency; a debit is positive, a credit
-- negative.

-- Accounts come into being when they are first posted to.
create table ledger_account (
    account_id bigint  generated always as identity,
    kind       text    not null,
    -- Whose: the hotel that is owed, for HOTEL_PAYABLE and TAX_PAYABLE.
    hotel_id   integer,
    -- Whose: the partner that owes, for PARTNER_RECEIVABLE.
    partner    text,
    currency   text    not null,
    constraint ledger_account_pkey primary key (account_id),
    constraint ledger_account_owner_key unique nulls not distinct (kind, hotel_id, partner, currency),
    -- For the entries, whose currency must be that of their account.
    constraint ledger_account_currency_key unique (account_id, currency),
    constraint ledger_account_kind_is_known check (kind in ('GUEST_RECEIVABLE', 'PSP_CLEARING', 'PARTNER_RECEIVABLE',
        'HOTEL_PAYABLE', 'COMMISSION_REVENUE', 'TAX_PAYABLE', 'REFUNDS')),
    constraint ledger_account_owner_fits_kind check (
        (hotel_id is not null) = (kind in ('HOTEL_PAYABLE', 'TAX_PAYABLE'))
        and (partner is not null) = (kind = 'PARTNER_RECEIVABLE')),
    constraint ledger_account_hotel_is_positive check (hotel_id > 0),
    constraint ledger_account_partner_is_short check (char_length(partner) between 1 and 200),
    constraint ledger_account_currency_is_code check (currency ~ '^[A-Z]{3}$')
);

-- What happened, and to which booking. What makes it happen once is its source: the payment, the refund, the reservation
-- or the pay-out that it comes from.
create table ledger_transaction (
    transaction_id uuid        not null,
    kind           text        not null,
    source_id      uuid        not null,
    -- Absent for what belongs to no single booking, such as a pay-out.
    reservation_id uuid,
    -- How many entries it has.
    lines          smallint    not null,
    posted_at      timestamptz not null default now(),
    constraint ledger_transaction_pkey primary key (transaction_id),
    constraint ledger_transaction_source_key unique (kind, source_id),
    -- For the entries, which repeat the number.
    constraint ledger_transaction_lines_key unique (transaction_id, lines),
    constraint ledger_transaction_kind_is_known check (kind in ('SALE', 'CHARGE', 'REFUND_OWED', 'REFUND_PAID',
        'PARTNER_SALE', 'PARTNER_CREDIT', 'PAY_OUT', 'CORRECTION')),
    constraint ledger_transaction_has_lines check (lines between 2 and 100)
);
create index ledger_transaction_reservation_idx on ledger_transaction (reservation_id);
create index ledger_transaction_posted_idx on ledger_transaction (posted_at);

-- Lines 1 to `lines` of a transaction, all of them there when it commits. So there is no line left that could be added
-- later: it would be there already, or beyond the number that its transaction has for good.
create table ledger_entry (
    transaction_id uuid     not null,
    line           smallint not null,
    lines          smallint not null,
    account_id     bigint   not null,
    amount_minor   bigint   not null,
    currency       text     not null,
    -- Which database transaction wrote it. Entries older than every transaction in progress are complete, which is what
    -- wallets are added up by.
    written_by     xid8     not null default pg_current_xact_id(),
    constraint ledger_entry_pkey primary key (transaction_id, line),
    constraint ledger_entry_transaction_fkey foreign key (transaction_id, lines)
        references ledger_transaction (transaction_id, lines),
    constraint ledger_entry_account_fkey foreign key (account_id, currency)
        references ledger_account (account_id, currency),
    constraint ledger_entry_line_in_range check (line between 1 and lines),
    constraint ledger_entry_amount_in_range check (amount_minor <> 0 and abs(amount_minor) <= 999999999999999)
);
create index ledger_entry_account_idx on ledger_entry (account_id, written_by);

-- Judged at commit, when all lines are there.
create function ledger_transaction_judge() returns trigger language plpgsql as $$
begin
    if (select count(*) from ledger_entry where transaction_id = new.transaction_id) <> new.lines then
        raise exception 'a transaction has as many entries as it says'
            using errcode = 'check_violation', constraint = 'ledger_transaction_is_whole';
    end if;
    if exists (select from ledger_entry where transaction_id = new.transaction_id
               group by currency having sum(amount_minor) <> 0) then
        raise exception 'debits and credits are equal in every currency'
            using errcode = 'check_violation', constraint = 'ledger_transaction_balances';
    end if;
    return null;
end
$$;
create constraint trigger ledger_transaction_balances after insert on ledger_transaction
    deferrable initially deferred for each row execute function ledger_transaction_judge();

create function ledger_is_kept() returns trigger language plpgsql as $$
begin
    raise exception 'what is in the ledger stays; post a correction'
        using errcode = 'check_violation', constraint = 'ledger_is_append_only';
end
$$;
create trigger ledger_entry_is_append_only before update or delete or truncate on ledger_entry
    for each statement execute function ledger_is_kept();
create trigger ledger_transaction_is_append_only before update or delete or truncate on ledger_transaction
    for each statement execute function ledger_is_kept();
create trigger ledger_account_is_append_only before update or delete or truncate on ledger_account
    for each statement execute function ledger_is_kept();

-- The same by privilege, for the role that the service works as, which owns these tables. The foreign keys lock rows of
-- the tables they point to, which takes the privilege to update some column of them; the triggers refuse to use it.
do $$
begin
    execute format('revoke update, delete, truncate on ledger_entry from %I', current_user);
    execute format('revoke delete, truncate on ledger_transaction, ledger_account from %I', current_user);
    execute format('revoke update on ledger_transaction, ledger_account from %I', current_user);
    execute format('grant update (transaction_id) on ledger_transaction to %I', current_user);
    execute format('grant update (account_id) on ledger_account to %I', current_user);
end
$$;

-- What accounts come to, as far as it has been added up: derived, and thrown away at any time. A balance is this and the
-- entries since.
create table wallet (
    account_id      bigint not null,
    balance_minor   numeric(30) not null,
    -- Every entry of an older database transaction is in the balance, none of this or a younger one.
    counted_before  xid8   not null,
    constraint wallet_pkey primary key (account_id),
    constraint wallet_account_fkey foreign key (account_id) references ledger_account (account_id)
);

-- What a payment is made of, fixed when it is asked for. Payments from before this was kept are all the hotel's.
alter table payment_order
    add column tax_minor        bigint not null default 0,
    add column commission_minor bigint not null default 0,
    -- The day of leaving: after it the hotel is paid.
    add column check_out        date,
    add constraint payment_order_parts_in_amount
        check (tax_minor >= 0 and commission_minor >= 0 and tax_minor + commission_minor <= amount_minor);
