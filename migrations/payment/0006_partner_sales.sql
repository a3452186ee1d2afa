-- What partners have sold and collect the money for themselves: the lines of their invoices. Money is in the minor units
-- of its currency.
create table partner_sale (
    reservation_id   uuid        not null,
    hotel_id         integer     not null,
    -- Who owes it: the subject of the partner's token.
    partner          text        not null,
    amount_minor     bigint      not null,
    currency         text        not null,
    -- Who gets what of it; the rest is the hotel's.
    tax_minor        bigint      not null,
    commission_minor bigint      not null,
    -- The day of leaving: by it the partner is invoiced, and after it the hotel is paid.
    check_out        date        not null,
    -- What the partner does not owe after all.
    credited_minor   bigint      not null default 0,
    created_at       timestamptz not null default now(),
    -- When its cancellation was settled. Absent while the reservation stands.
    cancelled_at     timestamptz,
    constraint partner_sale_pkey primary key (reservation_id),
    constraint partner_sale_hotel_is_positive check (hotel_id > 0),
    constraint partner_sale_partner_is_short check (char_length(partner) between 1 and 200),
    constraint partner_sale_amount_in_range check (amount_minor between 1 and 999999999999999),
    constraint partner_sale_currency_is_code check (currency ~ '^[A-Z]{3}$'),
    constraint partner_sale_parts_in_amount
        check (tax_minor >= 0 and commission_minor >= 0 and tax_minor + commission_minor <= amount_minor),
    constraint partner_sale_credit_within_amount check (credited_minor between 0 and amount_minor),
    constraint partner_sale_credit_has_reason check (credited_minor = 0 or cancelled_at is not null)
);
-- A partner's invoice.
create index partner_sale_invoice_idx on partner_sale (partner, check_out, reservation_id);

create function partner_sale_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.credited_minor <> 0 or new.cancelled_at is not null then
            raise exception 'a sale begins uncancelled'
                using errcode = 'check_violation', constraint = 'partner_sale_is_credited_once';
        end if;
        return new;
    end if;
    if tg_op = 'DELETE' then
        raise exception 'sales are not forgotten'
            using errcode = 'check_violation', constraint = 'partner_sale_terms_are_fixed';
    end if;
    if (new.reservation_id, new.hotel_id, new.partner, new.amount_minor, new.currency, new.tax_minor,
        new.commission_minor, new.check_out, new.created_at)
        is distinct from (old.reservation_id, old.hotel_id, old.partner, old.amount_minor, old.currency, old.tax_minor,
        old.commission_minor, old.check_out, old.created_at) then
        raise exception 'what was agreed on does not change'
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
create trigger partner_sale_terms_are_fixed before insert or update or delete on partner_sale
    for each row execute function partner_sale_guard();
