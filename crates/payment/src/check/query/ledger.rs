//! Checks of the ledger: completeness of transactions, and balances of accounts.

pub(super) const TRANSACTIONS: &str = ranked!(
    "with transaction as (
         select * from ledger_transaction where transaction_id between $1 and $2
     ), sum as (
         select transaction_id, currency, count(*) as lines, sum(amount_minor) as minor
         from ledger_entry where transaction_id between $1 and $2 group by transaction_id, currency
     ), written as (
         select transaction_id, sum(lines) as lines,
             string_agg(minor || ' ' || currency, ', ' order by currency) filter (where minor <> 0) as beside
         from sum group by transaction_id
     ), judged as (
         select transaction_id, transaction.lines as said, coalesce(written.lines, 0) as lines, beside, kind, source_id
         from transaction full join written using (transaction_id)
     ), wrong (kind, id, detail) as (
         select 'transaction_unbalanced', transaction_id, 'sums to ' || beside from judged where beside is not null
         union all
         select 'transaction_not_whole', transaction_id, lines || ' entries, but declares ' || said
         from judged where lines <> said
         union all
         select 'source_missing', transaction_id, coalesce(kind || ' of ' || source_id, 'entries without a transaction')
         from judged
         where case
             when kind in ('SALE', 'CHARGE')
                 then not exists (select from payment_order where payment_id = source_id)
             when kind in ('REFUND_OWED', 'REFUND_PAID')
                 then not exists (select from refund where refund_id = source_id)
             when kind in ('PARTNER_SALE', 'PARTNER_CREDIT')
                 then not exists (select from partner_sale where reservation_id = source_id)
             when kind = 'PARTNER_CHANGE'
                 then not exists (select from partner_sale_change where change_id = source_id)
             when kind = 'PARTNER_PAID'
                 then not exists (select from partner_payment where partner_payment_id = source_id)
             when kind = 'PAY_OUT'
                 then not exists (select from pay_out_transfer where payout_id = source_id and status = 'PAID')
             else kind is null end
     )"
);

/// Compares wallets, computed as `staymesh_ledger::wallets::balance` does, with the sum of all entries, and payable accounts
/// with unsettled entries and unpaid payouts.
pub(super) const ACCOUNTS: &str = ranked!(
    "with account as (
         select account_id, kind, hotel_id, partner, currency, coalesce(balance_minor, 0) as counted,
             coalesce(counted_before, '0'::xid8) as until
         from ledger_account left join wallet using (account_id)
         where account_id between $1 and $2
     ), wrong (kind, id, detail) as (
         select 'wallet_differs', account_id, concat_ws(' ', kind, hotel_id, partner) || ': ' || counted + since
             || ', but entries have ' || whole || ' ' || currency
         from account cross join lateral (
             select coalesce(sum(amount_minor), 0) as whole,
                 coalesce(sum(amount_minor) filter (where written_by >= until), 0) as since
             from ledger_entry where ledger_entry.account_id = account.account_id) entries
         where counted + since <> whole and until <= pg_snapshot_xmin(pg_current_snapshot())
         union all
         select 'payable_differs', account_id, 'hotel ' || hotel_id || ' is owed ' || owed || ' ' || currency
             || ', but has ' || unsettled || ' in no payout and ' || unpaid || ' in payouts that are not paid'
         from account cross join lateral (
             select coalesce(-sum(amount_minor), 0) as owed,
                 coalesce(-sum(amount_minor) filter (where transaction.kind is distinct from 'PAY_OUT' and not exists (
                     select from pay_out_line settled
                     where settled.transaction_id = entry.transaction_id and settled.line = entry.line)), 0) as unsettled
             from ledger_entry entry left join ledger_transaction transaction using (transaction_id)
             where entry.account_id = account.account_id) entries
         cross join lateral (
             select coalesce(sum(amount_minor), 0) as unpaid from pay_out
             where pay_out.hotel_id = account.hotel_id and pay_out.currency = account.currency and not exists (
                 select from pay_out_transfer transfer where transfer.payout_id = pay_out.payout_id and status = 'PAID')
             ) made
         where account.kind = 'HOTEL_PAYABLE' and owed <> unsettled + unpaid
     )"
);
