//! Checks of payments and refunds against the ledger.

/// Compares the expected postings of payments and refunds with the actual ones, line by line. The shares of a payment's
/// refunds are compared in sum, because each refund is rounded so that the sum is exact. And of each reservation, what was
/// paid at the provider less what was refunded is what the ledger has at the provider, and what a change gave back are its refunds.
pub(super) const PAYMENTS: &str = ranked!(
    "with refunded as (
         select payment_order.*, coalesce(asked, 0) as asked, coalesce(back, 0) as back,
             div(tax_minor::numeric * coalesce(asked, 0), amount_minor) as tax_back
         from payment_order left join (
             select payment_id, sum(amount_minor) as asked, sum(amount_minor) filter (where status = 'SUCCEEDED') as back
             from refund where payment_id between $1 and $2 group by payment_id) refunds using (payment_id)
         where payment_id between $1 and $2
     ), payment as (
         -- What a hotel takes at its desk is on its own cash, of which it keeps its share and the taxes.
         select refunded.*, case when method = 'PROVIDER' then 'HOTEL_PAYABLE' else 'HOTEL_CASH' end as share,
             case when method = 'PROVIDER' then 'PSP_CLEARING' else 'HOTEL_CASH' end as money,
             case when method = 'PROVIDER' then 0 else hotel_id end as money_hotel,
             case when method = 'PROVIDER' then tax_minor else 0 end as tax_due,
             case when method = 'PROVIDER' then tax_back else 0 end as tax_due_back,
             div(commission_minor::numeric * (asked - tax_back), greatest(amount_minor - tax_minor, 1)) as commission_back
         from refunded
     ), line (payment_id, reservation_id, currency, source_id, posting, account, hotel_id, minor) as (
         select payment_id, reservation_id, currency, payment_id, line.*
         from payment cross join lateral (values
             ('SALE', 'GUEST_RECEIVABLE', 0, amount_minor),
             ('SALE', share, hotel_id, tax_due + commission_minor - amount_minor),
             ('SALE', 'COMMISSION_REVENUE', 0, -commission_minor),
             ('SALE', 'TAX_PAYABLE', hotel_id, -tax_due),
             ('CHARGE', money, money_hotel, amount_minor),
             ('CHARGE', 'GUEST_RECEIVABLE', 0, -amount_minor)) line
         where status in ('PAID', 'REFUNDING', 'REFUNDED')
         union all
         select payment_id, reservation_id, currency, payment_id, 'REFUND_OWED', part.*
         from payment cross join lateral (values
             (share, hotel_id, asked - tax_due_back - commission_back),
             ('COMMISSION_REVENUE', 0, commission_back),
             ('TAX_PAYABLE', hotel_id, tax_due_back)) part
         union all
         select payment_id, reservation_id, currency, refund_id, line.*
         from payment join refund using (payment_id) cross join lateral (values
             ('REFUND_OWED', 'REFUNDS', 0, -refund.amount_minor),
             ('REFUND_PAID', 'REFUNDS', 0, refund.amount_minor),
             ('REFUND_PAID', money, money_hotel, -refund.amount_minor)) line
         where line.column1 = 'REFUND_OWED' or refund.status = 'SUCCEEDED'
     ), source (payment_id, source_id, posting) as (
         select payment_id, payment_id, posting from payment, unnest('{SALE,CHARGE}'::text[]) posting
         union all
         select payment_id, refund_id, posting
         from payment join refund using (payment_id), unnest('{REFUND_OWED,REFUND_PAID}'::text[]) posting
     ), posted as (
         select payment_id, transaction.reservation_id, entry.currency,
             case when posting = 'REFUND_OWED' and account.kind <> 'REFUNDS' then payment_id else source.source_id end as source_id,
             posting, account.kind as account, coalesce(hotel_id, 0) as hotel_id, sum(amount_minor) as minor
         from source join ledger_transaction transaction on (transaction.kind, transaction.source_id) = (posting, source.source_id)
         join ledger_entry entry using (transaction_id) join ledger_account account using (account_id)
         group by 1, 2, 3, 4, 5, 6, 7
     ), differing as (
         select payment_id, posting, posting || ' ' || account || coalesce(' ' || nullif(hotel_id, 0), '') || ' is '
             || coalesce(posted.minor, 0) || ' and should be ' || coalesce(line.minor, 0) || ' ' || currency as detail
         from line full join posted using (payment_id, reservation_id, currency, source_id, posting, account, hotel_id)
         where coalesce(line.minor, 0) <> coalesce(posted.minor, 0)
     ), reservation as (
         -- Each reservation once, with its first payment.
         select own.reservation_id, min(own.payment_id::text)::uuid as first_id, min(own.currency) as currency,
             coalesce(sum(own.amount_minor) filter (
                 where own.status in ('PAID', 'REFUNDING', 'REFUNDED') and own.method = 'PROVIDER'), 0) as paid,
             coalesce(sum(refunds.back) filter (where own.method = 'PROVIDER'), 0) as back
         from payment_order own left join lateral (
             select sum(amount_minor) as back from refund
             where refund.payment_id = own.payment_id and refund.status = 'SUCCEEDED') refunds on true
         where own.reservation_id in (select reservation_id from payment)
         group by own.reservation_id
         having min(own.payment_id::text)::uuid between $1 and $2
     ), wrong (kind, id, detail) as (
         select case when posting in ('SALE', 'CHARGE') then 'payment_differs' else 'refund_differs' end,
             payment_id, string_agg(detail, '; ' order by detail)
         from differing group by 1, 2
         union all
         select 'refund_above_payment', payment_id, asked || ' of ' || amount_minor || ' ' || currency
         from payment where asked > amount_minor
         union all
         select 'refund_sums_differ', payment_id, 'declares ' || refund_requested_minor || ' requested and ' || refunded_minor
             || ' refunded, but refunds have ' || asked || ' and ' || back || ' ' || currency
         from payment where (refund_requested_minor, refunded_minor) <> (asked, back)
         union all
         select 'reservation_money_differs', first_id, 'reservation ' || reservation_id || ': paid ' || paid || ' and refunded '
             || back || ', but the ledger has ' || held || ' ' || currency
         from reservation cross join lateral (
             select coalesce(sum(entry.amount_minor), 0) as held
             from ledger_transaction transaction join ledger_entry entry using (transaction_id)
             join ledger_account account using (account_id)
             where transaction.reservation_id = reservation.reservation_id and account.kind = 'PSP_CLEARING'
                 and transaction.kind <> 'CORRECTION' and entry.currency = reservation.currency) ledger
         where paid - back <> held
         union all
         select 'change_refund_differs', first_id, string_agg('revision ' || revision || ' gave back ' || coalesce(given, 0)
             || ', but its refunds are ' || coalesce(made, 0) || ' ' || currency, '; ' order by revision)
         from reservation cross join lateral (
             select revision, given, made from (
                 select revision, given_minor as given from change_settlement settled
                 where settled.reservation_id = reservation.reservation_id) settled
             full join (
                 select refund.revision, sum(refund.amount_minor) as made
                 from payment_order own join refund using (payment_id)
                 where own.reservation_id = reservation.reservation_id and refund.revision is not null
                     -- All of a refused payment goes back: the others give what it had given of changes.
                     and own.refused_at is null
                 group by refund.revision) refunded using (revision)) change
         where coalesce(given, 0) <> coalesce(made, 0)
         group by first_id
     )"
);
