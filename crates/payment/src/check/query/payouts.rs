//! Checks of payouts, their lines and their transfers against the ledger.

/// Verifies that a payout is the sum of its lines, that each line settles an entry of its hotel's payable account for a
/// finished stay and no other line settles that entry, that at most one transfer is open or paid, and that exactly the
/// paid payouts are posted.
pub(super) const PAYOUTS: &str = ranked!(
    "with made as (
         select * from pay_out where payout_id between $1 and $2
     ), settled as (
         select * from pay_out_line where payout_id between $1 and $2
     ), sum as (
         select payout_id, count(*) as lines, sum(amount_minor) as minor, min(number) as first, max(number) as last
         from settled group by payout_id
     ), tried as (
         select payout_id, count(*) as transfers, max(attempt) as last_attempt,
             count(*) filter (where status <> 'FAILED') as alive, count(*) filter (where status = 'PAID') as paid
         from pay_out_transfer where payout_id between $1 and $2 group by payout_id
     ), judged as (
         select payout_id, hotel_id, currency, amount_minor, made.lines as said, coalesce(sum.lines, 0) as lines,
             coalesce(minor, 0) as minor, first, last, coalesce(transfers, 0) as transfers, last_attempt,
             coalesce(alive, 0) as alive, coalesce(paid, 0) as paid
         from made full join sum using (payout_id) full join tried using (payout_id)
     ), unearned as (
         select payout_id, number, 'line ' || number || case
                 when entry.transaction_id is null then ' is of no entry'
                 when account.kind is distinct from 'HOTEL_PAYABLE' then ' is of ' || coalesce(account.kind, 'no account')
                 when transaction.reservation_id is null or transaction.kind = 'PAY_OUT' then ' is of no reservation'
                 when (account.hotel_id, entry.currency) <> (made.hotel_id, made.currency)
                     then ' is of hotel ' || account.hotel_id || ' in ' || entry.currency
                 when entry.amount_minor <> -settled.amount_minor
                     then ' is ' || settled.amount_minor || ', but its entry has ' || -entry.amount_minor
                 when settled.check_out >= made.cutoff then ' is of a stay that ends on ' || settled.check_out
                 when not exists (
                     select check_out from payment_order
                     where payment_order.reservation_id = transaction.reservation_id and check_out = settled.check_out
                     union all
                     select check_out from partner_sale
                     where partner_sale.reservation_id = transaction.reservation_id and check_out = settled.check_out
                     union all
                     select check_out from change_settlement changed
                     where changed.reservation_id = transaction.reservation_id and check_out = settled.check_out
                     union all
                     select before_check_out from partner_sale_change changed
                     where changed.reservation_id = transaction.reservation_id
                         and before_check_out = settled.check_out)
                     then ' is of a stay that does not end on ' || settled.check_out end as why
         from made join settled using (payout_id)
         left join ledger_entry entry on (entry.transaction_id, entry.line) = (settled.transaction_id, settled.line)
         left join ledger_transaction transaction on transaction.transaction_id = entry.transaction_id
         left join ledger_account account on account.account_id = entry.account_id
     ), line (payout_id, currency, of_booking, account, hotel_id, minor) as (
         select payout_id, currency, false, line.*
         from judged cross join lateral (values
             ('HOTEL_PAYABLE', hotel_id, amount_minor), ('PSP_CLEARING', 0, -amount_minor)) line
         where paid > 0 and amount_minor is not null
     ), posted as (
         select payout_id, entry.currency, transaction.reservation_id is not null as of_booking, account.kind as account,
             coalesce(account.hotel_id, 0) as hotel_id, sum(entry.amount_minor) as minor
         from made join ledger_transaction transaction on (transaction.kind, transaction.source_id) = ('PAY_OUT', payout_id)
         join ledger_entry entry using (transaction_id) join ledger_account account using (account_id)
         group by 1, 2, 3, 4, 5
     ), differing as (
         select payout_id, concat_ws(' ', account, nullif(hotel_id, 0)) || ' is ' || coalesce(posted.minor, 0)
             || ' and should be ' || coalesce(line.minor, 0) || ' ' || currency as detail
         from line full join posted using (payout_id, currency, of_booking, account, hotel_id)
         where coalesce(line.minor, 0) <> coalesce(posted.minor, 0)
     ), wrong (kind, id, detail) as (
         select 'payout_differs', payout_id, case
                 when said is null then lines || ' lines and ' || transfers || ' transfers of a payout that does not exist'
                 else 'declares ' || said || ' lines and ' || amount_minor || ', but has ' || lines || ' and ' || minor || ' '
                     || currency end
         from judged
         where (said, amount_minor::numeric, 1, said::bigint) is distinct from (lines, minor, first, last)
         union all
         select 'payout_not_earned', payout_id, string_agg(why, '; ' order by number)
         from unearned where why is not null group by payout_id
         union all
         select 'payout_settles_twice', settled.payout_id,
             count(*) || ' of its entries are settled by other lines, too, the first by ' || min(other.payout_id::text)
         from settled join pay_out_line other on (other.transaction_id, other.line) = (settled.transaction_id, settled.line)
             and (other.payout_id, other.number) <> (settled.payout_id, settled.number)
         group by settled.payout_id
         union all
         select 'payout_paid_twice', payout_id, alive || ' transfers are open or paid' from judged where alive > 1
         union all
         select 'payout_not_asked_for', payout_id, transfers || ' transfers, of which the last is number '
             || coalesce(last_attempt, 0)
         from judged where said is not null and transfers is distinct from coalesce(last_attempt, -1)
         union all
         select 'payout_posting_differs', payout_id, string_agg(detail, '; ' order by detail)
         from differing group by payout_id
     )"
);
