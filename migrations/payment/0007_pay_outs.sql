-- What hotels are paid. A pay-out settles entries of what a hotel is owed, each of them once; its transfers are the
-- attempts to move the money, of which one at the most can succeed.

-- Where a hotel's money goes, in the payment provider's words: a token that says nothing to anybody else.
create table hotel_destination (
    hotel_id    integer     not null,
    destination text        not null,
    -- Who has set it: the subject of the caller's token.
    updated_by  text        not null,
    updated_at  timestamptz not null default now(),
    constraint hotel_destination_pkey primary key (hotel_id),
    constraint hotel_destination_hotel_is_positive check (hotel_id > 0),
    constraint hotel_destination_is_short check (destination ~ '^[!-~]{1,200}$'),
    constraint hotel_destination_updated_by_is_short check (char_length(updated_by) between 1 and 200)
);

create table pay_out (
    payout_id    uuid        not null,
    hotel_id     integer     not null,
    currency     text        not null,
    amount_minor bigint      not null,
    -- How many entries it settles.
    lines        integer     not null,
    -- It settles bookings whose day of leaving is before this.
    cutoff       date        not null,
    created_at   timestamptz not null default now(),
    constraint pay_out_pkey primary key (payout_id),
    -- For the lines, which repeat the number.
    constraint pay_out_lines_key unique (payout_id, lines),
    constraint pay_out_hotel_is_positive check (hotel_id > 0),
    constraint pay_out_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    constraint pay_out_amount_in_range check (amount_minor between 1 and 999999999999999),
    constraint pay_out_has_lines check (lines > 0)
);
-- The pay-outs of a hotel, newest first.
create index pay_out_hotel_idx on pay_out (hotel_id, payout_id desc);

-- Lines 1 to `lines`, all of them there when the pay-out commits, so none can be added later. What is negative in it
-- went back to a guest after an earlier pay-out, or before this one. That there is such an entry is judged at commit: a
-- foreign key would need the privilege to update the ledger's entries.
create table pay_out_line (
    payout_id      uuid     not null,
    number         integer  not null,
    lines          integer  not null,
    transaction_id uuid     not null,
    line           smallint not null,
    -- What the hotel gets: a credit of its account is positive here.
    amount_minor   bigint   not null,
    check_out      date     not null,
    -- The entry is settled once.
    constraint pay_out_line_entry_pkey primary key (transaction_id, line),
    constraint pay_out_line_number_key unique (payout_id, number),
    constraint pay_out_line_pay_out_fkey foreign key (payout_id, lines) references pay_out (payout_id, lines),
    constraint pay_out_line_number_in_range check (number between 1 and lines)
);

-- An attempt to move the money. Its id is the provider's idempotency key for it.
create table pay_out_transfer (
    transfer_id  uuid        not null,
    payout_id    uuid        not null,
    attempt      integer     not null,
    -- As it was when this was asked for. A repeat of the call to the provider must say the same.
    destination  text        not null,
    status       text        not null default 'REQUESTED',
    -- The provider's id of it, once it is known.
    psp_transfer text,
    -- Why it failed.
    failure      text,
    created_at   timestamptz not null default now(),
    ended_at     timestamptz,
    constraint pay_out_transfer_pkey primary key (transfer_id),
    constraint pay_out_transfer_attempt_key unique (payout_id, attempt),
    constraint pay_out_transfer_pay_out_fkey foreign key (payout_id) references pay_out (payout_id),
    constraint pay_out_transfer_attempt_is_positive check (attempt > 0),
    constraint pay_out_transfer_destination_is_short check (destination ~ '^[!-~]{1,200}$'),
    constraint pay_out_transfer_status_is_known check (status in ('REQUESTED', 'PAID', 'FAILED')),
    constraint pay_out_transfer_psp_transfer_is_short check (char_length(psp_transfer) between 1 and 200),
    constraint pay_out_transfer_failure_is_short check (char_length(failure) between 1 and 500),
    constraint pay_out_transfer_failed_for_a_reason check ((status = 'FAILED') = (failure is not null)),
    constraint pay_out_transfer_paid_by_provider check (status <> 'PAID' or psp_transfer is not null),
    constraint pay_out_transfer_ended_at_some_time check ((status <> 'REQUESTED') = (ended_at is not null))
);
-- Nobody is paid twice: while a transfer may succeed or has succeeded there is no other.
create unique index pay_out_transfer_one_alive_key on pay_out_transfer (payout_id) where status <> 'FAILED';
-- What may be asked for again.
create index pay_out_transfer_failed_idx on pay_out_transfer (payout_id) where status = 'FAILED';

-- Judged at commit, when all lines are there.
create function pay_out_judge() returns trigger language plpgsql as $$
declare
    found record;
begin
    select count(*) as lines, sum(l.amount_minor) as amount_minor,
        bool_and(a.kind = 'HOTEL_PAYABLE' and a.hotel_id = new.hotel_id and e.currency = new.currency
            and e.amount_minor = -l.amount_minor and t.reservation_id is not null and l.check_out < new.cutoff) as fit
    into found
    from pay_out_line l
    join ledger_entry e on e.transaction_id = l.transaction_id and e.line = l.line
    join ledger_transaction t on t.transaction_id = l.transaction_id
    join ledger_account a on a.account_id = e.account_id
    where l.payout_id = new.payout_id;
    if found.lines <> new.lines then
        raise exception 'a pay-out has as many lines as it says'
            using errcode = 'check_violation', constraint = 'pay_out_is_whole';
    end if;
    if not found.fit then
        raise exception 'a pay-out settles entries of its own hotel and currency, of stays that are over'
            using errcode = 'check_violation', constraint = 'pay_out_lines_fit';
    end if;
    if found.amount_minor <> new.amount_minor then
        raise exception 'a pay-out is the sum of its lines'
            using errcode = 'check_violation', constraint = 'pay_out_is_sum_of_lines';
    end if;
    if not exists (select from pay_out_transfer where payout_id = new.payout_id) then
        raise exception 'a pay-out is asked for'
            using errcode = 'check_violation', constraint = 'pay_out_has_transfer';
    end if;
    return null;
end
$$;
create constraint trigger pay_out_is_sum_of_lines after insert on pay_out
    deferrable initially deferred for each row execute function pay_out_judge();

create function pay_out_is_kept() returns trigger language plpgsql as $$
begin
    raise exception 'what was settled stays settled'
        using errcode = 'check_violation', constraint = 'pay_out_terms_are_fixed';
end
$$;
create trigger pay_out_terms_are_fixed before update or delete or truncate on pay_out
    for each statement execute function pay_out_is_kept();
create trigger pay_out_line_terms_are_fixed before update or delete or truncate on pay_out_line
    for each statement execute function pay_out_is_kept();
create trigger pay_out_transfer_is_kept before delete or truncate on pay_out_transfer
    for each statement execute function pay_out_is_kept();

create function pay_out_transfer_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.status <> 'REQUESTED' then
            raise exception 'a transfer begins as a request'
                using errcode = 'check_violation', constraint = 'pay_out_transfer_legal_transition';
        end if;
        return new;
    end if;
    if (new.transfer_id, new.payout_id, new.attempt, new.destination, new.created_at)
        is distinct from (old.transfer_id, old.payout_id, old.attempt, old.destination, old.created_at)
        or (old.status <> 'REQUESTED' and new is distinct from old) then
        raise exception 'what was asked for does not change, nor how it ended'
            using errcode = 'check_violation', constraint = 'pay_out_transfer_legal_transition';
    end if;
    return new;
end
$$;
create trigger pay_out_transfer_legal_transition before insert or update on pay_out_transfer
    for each row execute function pay_out_transfer_guard();

-- Judged at commit: money that has moved is in the ledger.
create function pay_out_transfer_judge() returns trigger language plpgsql as $$
begin
    if not exists (
        select from pay_out p
        join ledger_transaction t on t.kind = 'PAY_OUT' and t.source_id = p.payout_id
        join ledger_entry e on e.transaction_id = t.transaction_id
            and (e.amount_minor, e.currency) = (p.amount_minor, p.currency)
        join ledger_account a on a.account_id = e.account_id and a.kind = 'HOTEL_PAYABLE' and a.hotel_id = p.hotel_id
        where p.payout_id = new.payout_id) then
        raise exception 'a pay-out that is paid is in the ledger'
            using errcode = 'check_violation', constraint = 'pay_out_transfer_is_posted';
    end if;
    return null;
end
$$;
create constraint trigger pay_out_transfer_is_posted after update on pay_out_transfer
    deferrable initially deferred for each row when (new.status = 'PAID') execute function pay_out_transfer_judge();
