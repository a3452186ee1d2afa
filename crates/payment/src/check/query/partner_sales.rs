//! Checks of partner sales against the ledger.

/// Compares the expected postings of partner sales and their credits with the actual ones, line by line. A sale is the sum
/// of its first posting and those of its changes.
pub(super) const PARTNER_SALES: &str = ranked!(
    "with credited as (
         select *, div(tax_minor::numeric * credited_minor, amount_minor) as tax_back
         from partner_sale where reservation_id between $1 and $2
     ), sale as (
         select *,
             div(commission_minor::numeric * (credited_minor - tax_back), greatest(amount_minor - tax_minor, 1))
                 as commission_back
         from credited
     ), line (sale_id, booking, currency, posting, account, hotel_id, partner, minor) as (
         select reservation_id, reservation_id, currency, line.*
         from sale cross join lateral (values
             ('PARTNER_SALE', 'PARTNER_RECEIVABLE', 0, partner, amount_minor),
             ('PARTNER_SALE', 'HOTEL_PAYABLE', hotel_id, '', tax_minor + commission_minor - amount_minor),
             ('PARTNER_SALE', 'COMMISSION_REVENUE', 0, '', -commission_minor),
             ('PARTNER_SALE', 'TAX_PAYABLE', hotel_id, '', -tax_minor),
             ('PARTNER_CREDIT', 'PARTNER_RECEIVABLE', 0, partner, -credited_minor),
             ('PARTNER_CREDIT', 'HOTEL_PAYABLE', hotel_id, '', credited_minor - tax_back - commission_back),
             ('PARTNER_CREDIT', 'COMMISSION_REVENUE', 0, '', commission_back),
             ('PARTNER_CREDIT', 'TAX_PAYABLE', hotel_id, '', tax_back)) line
     ), source (sale_id, kind, source_id, posting) as (
         select reservation_id, posting, reservation_id, posting
         from sale cross join unnest('{PARTNER_SALE,PARTNER_CREDIT}'::text[]) posting
         union all
         select reservation_id, 'PARTNER_CHANGE', change_id, 'PARTNER_SALE'
         from sale join partner_sale_change using (reservation_id)
     ), posted as (
         select sale_id, transaction.reservation_id as booking, entry.currency,
             posting, account.kind as account, coalesce(account.hotel_id, 0) as hotel_id,
             coalesce(account.partner, '') as partner, sum(entry.amount_minor) as minor
         from source join ledger_transaction transaction
             on (transaction.kind, transaction.source_id) = (source.kind, source.source_id)
         join ledger_entry entry using (transaction_id) join ledger_account account using (account_id)
         group by 1, 2, 3, 4, 5, 6, 7
     ), differing as (
         select sale_id, posting, concat_ws(' ', posting, account, nullif(hotel_id, 0), nullif(partner, '')) || ' is '
             || coalesce(posted.minor, 0) || ' and should be ' || coalesce(line.minor, 0) || ' ' || currency as detail
         from line full join posted using (sale_id, booking, currency, posting, account, hotel_id, partner)
         where coalesce(line.minor, 0) <> coalesce(posted.minor, 0)
     ), wrong (kind, id, detail) as (
         select case posting when 'PARTNER_SALE' then 'partner_sale_differs' else 'partner_credit_differs' end,
             sale_id, string_agg(detail, '; ' order by detail)
         from differing group by 1, 2
         union all
         select 'partner_credit_above_sale', reservation_id, credited_minor || ' of ' || amount_minor || ' ' || currency
         from sale where credited_minor > amount_minor
     )"
);
