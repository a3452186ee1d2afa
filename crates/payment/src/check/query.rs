//! The checker's SQL. Each text yields what is wrong with the rows from `$1` to `$2` as `(kind, id, detail)`, and every
//! row of a page is judged in one statement.

use sqlx::{FromRow, PgPool, Postgres, postgres::PgArguments, query::QueryAs};
use staymesh_store::StoreError;
use uuid::Uuid;

use super::{Kind, Violation};

/// A page that was looked at.
pub(super) struct Page<K> {
    /// The last row's key, when there may be more.
    pub(super) next: Option<K>,
    /// How many rows it has.
    pub(super) rows: u64,
    /// Of each kind of violation how many there are, and the first of them.
    pub(super) found: Vec<(Kind, u64, Vec<Violation>)>,
}

/// How many there are of each kind in `wrong`, and the first `$3` of them.
macro_rules! ranked {
    ($wrong:expr) => {
        concat!(
            $wrong,
            " select kind, id, detail, found from (
                  select kind, id, left(detail, 500) as detail, count(*) over (partition by kind) as found,
                      row_number() over (partition by kind order by id) as place
                  from wrong) ranked
              where place <= greatest($3, 1) order by kind, place"
        )
    };
}

const TRANSACTIONS: &str = ranked!(
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
         select 'transaction_not_whole', transaction_id, lines || ' entries, but says ' || said
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
             when kind = 'PAY_OUT'
                 then not exists (select from pay_out_transfer where payout_id = source_id and status = 'PAID')
             else kind is null end
     )"
);

/// What must be in the ledger of payments and refunds, line by line, against what is. The parts of a payment's refunds
/// are compared in sum: that is what each refund completes.
const PAYMENTS: &str = ranked!(
    "with refunded as (
         select payment_order.*, coalesce(asked, 0) as asked, coalesce(back, 0) as back,
             div(tax_minor::numeric * coalesce(asked, 0), amount_minor) as tax_back
         from payment_order left join (
             select payment_id, sum(amount_minor) as asked, sum(amount_minor) filter (where status = 'SUCCEEDED') as back
             from refund where payment_id between $1 and $2 group by payment_id) refunds using (payment_id)
         where payment_id between $1 and $2
     ), payment as (
         select refunded.*,
             div(commission_minor::numeric * (asked - tax_back), greatest(amount_minor - tax_minor, 1)) as commission_back
         from refunded
     ), line (payment_id, reservation_id, currency, source_id, posting, account, hotel_id, minor) as (
         select payment_id, reservation_id, currency, payment_id, line.*
         from payment cross join lateral (values
             ('SALE', 'GUEST_RECEIVABLE', 0, amount_minor),
             ('SALE', 'HOTEL_PAYABLE', hotel_id, tax_minor + commission_minor - amount_minor),
             ('SALE', 'COMMISSION_REVENUE', 0, -commission_minor),
             ('SALE', 'TAX_PAYABLE', hotel_id, -tax_minor),
             ('CHARGE', 'PSP_CLEARING', 0, amount_minor),
             ('CHARGE', 'GUEST_RECEIVABLE', 0, -amount_minor)) line
         where status in ('PAID', 'REFUNDING', 'REFUNDED')
         union all
         select payment_id, reservation_id, currency, payment_id, 'REFUND_OWED', part.*
         from payment cross join lateral (values
             ('HOTEL_PAYABLE', hotel_id, asked - tax_back - commission_back),
             ('COMMISSION_REVENUE', 0, commission_back),
             ('TAX_PAYABLE', hotel_id, tax_back)) part
         union all
         select payment_id, reservation_id, currency, refund_id, line.*
         from payment join refund using (payment_id) cross join lateral (values
             ('REFUND_OWED', 'REFUNDS', 0, -refund.amount_minor),
             ('REFUND_PAID', 'REFUNDS', 0, refund.amount_minor),
             ('REFUND_PAID', 'PSP_CLEARING', 0, -refund.amount_minor)) line
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
     ), wrong (kind, id, detail) as (
         select case when posting in ('SALE', 'CHARGE') then 'payment_differs' else 'refund_differs' end,
             payment_id, string_agg(detail, '; ' order by detail)
         from differing group by 1, 2
         union all
         select 'refund_above_payment', payment_id, asked || ' of ' || amount_minor || ' ' || currency
         from payment where asked > amount_minor
         union all
         select 'refund_sums_differ', payment_id, 'says ' || refund_requested_minor || ' asked and ' || refunded_minor
             || ' back, but refunds have ' || asked || ' and ' || back || ' ' || currency
         from payment where (refund_requested_minor, refunded_minor) <> (asked, back)
     )"
);

/// As `wallets::balance` reckons it, against all entries.
const ACCOUNTS: &str = ranked!(
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
     )"
);

/// How many transactions, payments and accounts there are.
pub(super) async fn count(pool: &PgPool) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "select (select count(*) from ledger_transaction) + (select count(*) from payment_order)
             + (select count(*) from ledger_account)",
    )
    .fetch_one(pool)
    .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The next transactions, from this id on.
pub(super) async fn transactions(pool: &PgPool, from: Uuid, limit: i64, list: usize) -> Result<Page<Uuid>, StoreError> {
    let keys =
        "select transaction_id from ledger_transaction where transaction_id >= $1 order by transaction_id limit $2";
    let keys: Vec<Uuid> = sqlx::query_scalar(keys).bind(from).bind(limit).fetch_all(pool).await?;
    let until = last(&keys, limit);
    let rows: Vec<Row<Uuid>> =
        listing(sqlx::query_as(TRANSACTIONS).bind(from).bind(until.unwrap_or(Uuid::max())), list)
            .fetch_all(pool)
            .await?;
    page(&keys, until, rows)
}

/// The next payments, from this id on.
pub(super) async fn payments(pool: &PgPool, from: Uuid, limit: i64, list: usize) -> Result<Page<Uuid>, StoreError> {
    let keys = "select payment_id from payment_order where payment_id >= $1 order by payment_id limit $2";
    let keys: Vec<Uuid> = sqlx::query_scalar(keys).bind(from).bind(limit).fetch_all(pool).await?;
    let until = last(&keys, limit);
    let rows: Vec<Row<Uuid>> =
        listing(sqlx::query_as(PAYMENTS).bind(from).bind(until.unwrap_or(Uuid::max())), list).fetch_all(pool).await?;
    page(&keys, until, rows)
}

/// The next accounts, from this id on.
pub(super) async fn accounts(pool: &PgPool, from: i64, limit: i64, list: usize) -> Result<Page<i64>, StoreError> {
    let keys = "select account_id from ledger_account where account_id >= $1 order by account_id limit $2";
    let keys: Vec<i64> = sqlx::query_scalar(keys).bind(from).bind(limit).fetch_all(pool).await?;
    let until = last(&keys, limit);
    let rows: Vec<Row<i64>> =
        listing(sqlx::query_as(ACCOUNTS).bind(from).bind(until.unwrap_or(i64::MAX)), list).fetch_all(pool).await?;
    page(&keys, until, rows)
}

#[derive(FromRow)]
struct Row<K> {
    kind: String,
    id: K,
    detail: String,
    found: i64,
}

type Listing<'q, K> = QueryAs<'q, Postgres, Row<K>, PgArguments>;

fn listing<K>(query: Listing<'_, K>, list: usize) -> Listing<'_, K> {
    query.bind(i64::try_from(list).unwrap_or(i64::MAX))
}

/// The last key of a full page: only then there may be more. Whatever is not full reaches to the end.
fn last<K: Copy>(keys: &[K], limit: i64) -> Option<K> {
    keys.last().copied().filter(|_| i64::try_from(keys.len()) == Ok(limit))
}

fn page<K: Copy + ToString>(keys: &[K], next: Option<K>, rows: Vec<Row<K>>) -> Result<Page<K>, StoreError> {
    let mut found: Vec<(Kind, u64, Vec<Violation>)> = Vec::new();
    for row in rows {
        let kind = Kind::from_name(&row.kind).ok_or_else(|| sqlx::Error::Decode("kind".into()))?;
        let violation = Violation { kind, id: row.id.to_string(), detail: row.detail };
        match found.iter_mut().find(|(known, ..)| *known == kind) {
            Some((.., violations)) => violations.push(violation),
            None => found.push((kind, u64::try_from(row.found).unwrap_or_default(), vec![violation])),
        }
    }
    Ok(Page { next, rows: keys.len() as u64, found })
}
