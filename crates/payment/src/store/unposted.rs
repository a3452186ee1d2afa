//! Payments that lack postings, because a release without the ledger took or refunded them.

use jiff::Timestamp;
use sqlx::{FromRow, PgConnection, PgPool};
use staymesh_domain::{Currency, Money, PaymentId};
use staymesh_ledger::Split;
use staymesh_store::StoreError;
use uuid::Uuid;

/// The postings that a payment lacks, and what is needed to make up for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unposted {
    /// Whether the sale is not posted.
    pub sale: bool,
    /// Whether the charge is not posted.
    pub charge: bool,
    /// When it was paid. Of a payment that was refunded since, the best estimate; see [`of`].
    pub paid_at: Timestamp,
    /// Its refunds in the order of their requests.
    pub refunds: Vec<UnpostedRefund>,
    /// The shares that the posted refunds have reversed.
    pub reversed: Split,
}

/// A refund of such a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpostedRefund {
    /// Its id.
    pub refund_id: Uuid,
    /// The refunded amount.
    pub amount: Money,
    /// When it was requested, if that is not posted.
    pub owed: Option<Timestamp>,
    /// When it succeeded, if it has and that is not posted.
    pub paid: Option<Timestamp>,
}

/// The number of payments.
///
/// # Errors
/// When the database is unavailable.
pub async fn count(pool: &PgPool) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar("select count(*) from payment_order").fetch_one(pool).await?;
    u64::try_from(count).map_err(|_| sqlx::Error::Decode("count".into()).into())
}

/// The next payments after this one by id, and whether each lacks a posting.
///
/// # Errors
/// When the database is unavailable.
pub async fn page(pool: &PgPool, after: Uuid, limit: i64) -> Result<Vec<(PaymentId, bool)>, StoreError> {
    let rows: Vec<(Uuid, bool)> = sqlx::query_as(
        "select payment_id, status in ('PAID', 'REFUNDING', 'REFUNDED') and (
                 not exists (select from ledger_transaction where (kind, source_id) = ('SALE', payment_id))
                 or not exists (select from ledger_transaction where (kind, source_id) = ('CHARGE', payment_id))
                 or exists (
                     select from refund where refund.payment_id = page.payment_id and (
                         not exists (select from ledger_transaction where (kind, source_id) = ('REFUND_OWED', refund_id))
                         or status = 'SUCCEEDED' and not exists (
                             select from ledger_transaction where (kind, source_id) = ('REFUND_PAID', refund_id)))))
         from (select payment_id, status from payment_order where payment_id > $1 order by payment_id limit $2) page
         order by payment_id",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|(id, lacking)| (id.into(), lacking)).collect())
}

#[derive(FromRow)]
struct Row {
    sale: bool,
    charge: bool,
    paid_at: jiff_sqlx::Timestamp,
    hotel: i64,
    tax: i64,
    commission: i64,
    currency: String,
}

#[derive(FromRow)]
struct RefundRow {
    refund_id: Uuid,
    amount_minor: i64,
    owed: Option<jiff_sqlx::Timestamp>,
    paid: Option<jiff_sqlx::Timestamp>,
}

/// The postings that a paid payment lacks. The caller has locked it.
///
/// The time of payment is not kept once a payment is refunded. Then the time of the last provider event applied before
/// the first refund is used.
///
/// # Errors
/// When the database is unavailable, or holds amounts out of range.
pub async fn of(connection: &mut PgConnection, id: PaymentId) -> Result<Unposted, StoreError> {
    let row: Row = sqlx::query_as(
        "with requested as (
             select min(created_at) as first from refund where payment_id = $1
         ), reversed as (
             select account.kind, sum(entry.amount_minor)::bigint as minor
             from refund join ledger_transaction transaction on (transaction.kind, source_id) = ('REFUND_OWED', refund_id)
             join ledger_entry entry using (transaction_id) join ledger_account account using (account_id)
             where payment_id = $1 group by account.kind
         )
         select not exists (select from ledger_transaction where (kind, source_id) = ('SALE', $1)) as sale,
             not exists (select from ledger_transaction where (kind, source_id) = ('CHARGE', $1)) as charge,
             case when first is null then status_changed_at else coalesce(
                 (select max(received_at) from psp_event
                  where psp_event.payment_id = $1 and outcome = 'APPLIED' and received_at < first), first) end as paid_at,
             coalesce((select minor from reversed where kind = 'HOTEL_PAYABLE'), 0) as hotel,
             coalesce((select minor from reversed where kind = 'TAX_PAYABLE'), 0) as tax,
             coalesce((select minor from reversed where kind = 'COMMISSION_REVENUE'), 0) as commission, currency
         from payment_order, requested where payment_id = $1",
    )
    .bind(id.as_uuid())
    .fetch_one(&mut *connection)
    .await?;
    let refunds: Vec<RefundRow> = sqlx::query_as(
        "select refund_id, amount_minor,
             case when not exists (select from ledger_transaction where (kind, source_id) = ('REFUND_OWED', refund_id))
                 then created_at end as owed,
             case when not exists (select from ledger_transaction where (kind, source_id) = ('REFUND_PAID', refund_id))
                 then succeeded_at end as paid
         from refund where payment_id = $1 order by refund_id",
    )
    .bind(id.as_uuid())
    .fetch_all(connection)
    .await?;
    let invalid = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
    let currency: Currency = row.currency.parse().map_err(|_| invalid("currency"))?;
    let money = |minor| Money::from_minor(minor, currency).map_err(|_| invalid("amount"));
    let refunds = refunds.into_iter().map(|refund| {
        Ok::<_, StoreError>(UnpostedRefund {
            refund_id: refund.refund_id,
            amount: money(refund.amount_minor)?,
            owed: refund.owed.map(jiff_sqlx::Timestamp::to_jiff),
            paid: refund.paid.map(jiff_sqlx::Timestamp::to_jiff),
        })
    });
    let reversed = Split::from_shares(money(row.hotel)?, money(row.tax)?, money(row.commission)?);
    Ok(Unposted {
        sale: row.sale,
        charge: row.charge,
        paid_at: row.paid_at.to_jiff(),
        refunds: refunds.collect::<Result<_, _>>()?,
        reversed: reversed.ok_or_else(|| invalid("reversed shares"))?,
    })
}
