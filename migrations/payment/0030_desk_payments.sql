-- Payments that a hotel takes at its desk, in cash or with a card terminal. The hotel has the money, so the ledger keeps it
-- on an account of the hotel's cash, and neither the provider nor a payout knows it.
--
-- The release before this one reads and writes no such payment. It inserts without these columns: PROVIDER.
alter table payment_order
    -- Who took the money: PROVIDER, or the hotel's desk as CASH or CARD_TERMINAL.
    add column method text not null default 'PROVIDER',
    -- Number of the receipt or of the terminal's slip; null if there is none.
    add column desk_reference text,
    -- Subject of the token of the member of staff who recorded it; null for a payment at the provider.
    add column recorded_by text,
    add constraint payment_order_method_is_known check (method in ('PROVIDER', 'CASH', 'CARD_TERMINAL')) not valid,
    add constraint payment_order_desk_reference_is_short check (char_length(desk_reference) between 1 and 64) not valid,
    add constraint payment_order_recorded_by_is_short check (char_length(recorded_by) between 1 and 200) not valid,
    add constraint payment_order_desk_has_no_page check (
        case when method = 'PROVIDER' then desk_reference is null and recorded_by is null
             else recorded_by is not null and psp_session is null end) not valid;

alter table refund
    -- Number of the receipt of a refund that was given at the desk; null if there is none.
    add column given_reference text,
    -- Subject of the token of the member of staff who recorded it; null for a refund by the provider.
    add column given_by text,
    add constraint refund_given_reference_is_short check (char_length(given_reference) between 1 and 64) not valid,
    add constraint refund_given_by_is_short check (char_length(given_by) between 1 and 200) not valid,
    add constraint refund_is_given_by_desk_or_provider
        check ((given_by is null or (status = 'SUCCEEDED' and psp_refund is null)) and (given_by is not null or given_reference is null)) not valid;

-- How a payment was taken does not change either.
create function payment_order_desk_guard() returns trigger language plpgsql as $$
begin
    if (new.method, new.desk_reference, new.recorded_by) is distinct from (old.method, old.desk_reference, old.recorded_by) then
        raise exception 'the terms of a payment do not change'
            using errcode = 'check_violation', constraint = 'payment_order_terms_are_fixed';
    end if;
    return new;
end
$$;
create trigger payment_order_desk_terms_are_fixed before update of method, desk_reference, recorded_by on payment_order
    for each row execute function payment_order_desk_guard();

alter table ledger_account drop constraint ledger_account_kind_is_known;
alter table ledger_account add constraint ledger_account_kind_is_known check (kind in ('GUEST_RECEIVABLE', 'PSP_CLEARING',
    'PARTNER_RECEIVABLE', 'HOTEL_PAYABLE', 'COMMISSION_REVENUE', 'TAX_PAYABLE', 'REFUNDS', 'BANK', 'HOTEL_CASH')) not valid;
alter table ledger_account drop constraint ledger_account_owner_fits_kind;
alter table ledger_account add constraint ledger_account_owner_fits_kind check (
    (hotel_id is not null) = (kind in ('HOTEL_PAYABLE', 'TAX_PAYABLE', 'HOTEL_CASH'))
    and (partner is not null) = (kind = 'PARTNER_RECEIVABLE')) not valid;
