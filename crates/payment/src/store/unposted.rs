//! What payments lack in the ledger that were made by a release without it.

use jiff::Timestamp;
use sqlx::{FromRow, PgConnection, PgPool};
use staymesh_domain::PaymentId;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::ledger::Parts;

/// What a payment that was made lacks, and what is needed to make up for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unposted {
    /// Whether its sale is not posted.
    pub sale: bool,
    /// Whether its charge is not posted.
    pub charge: bool,
    /// When it was paid; of one that has been refunded since, as well as can be known.
    pub paid_at: Timestamp,
    /// Its refunds in the order in which they were asked for.
    pub refunds: Vec<UnpostedRefund>,
    /// What the refunds that are posted have taken of each part.
    pub back: Parts,
}

/// A refund of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpostedRefund {
    /// Which.
    pub refund_id: Uuid,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// When it was asked for, if that is not posted.
    pub owed: Option<Timestamp>,
    /// When it arrived, if it has and that is not posted.
    pub paid: Option<Timestamp>,
}

/// How many payments there are.
pub async fn count(pool: &PgPool) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar("select count(*) from payment_order").fetch_one(pool).await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// The next payments after this one, and whether each lacks something.
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
}

#[derive(FromRow)]
struct RefundRow {
    refund_id: Uuid,
    amount_minor: i64,
    owed: Option<jiff_sqlx::Timestamp>,
    paid: Option<jiff_sqlx::Timestamp>,
}

/// What a payment that is locked, and has been made, lacks.
///
/// A payment does not keep when it was paid once it is refunded. Then it is when the provider's last word before the
/// first refund was taken in.
pub async fn of(connection: &mut PgConnection, id: PaymentId) -> Result<Unposted, StoreError> {
    let row: Row = sqlx::query_as(
        "with asked as (
             select min(created_at) as first from refund where payment_id = $1
         ), back as (
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
             coalesce((select minor from back where kind = 'HOTEL_PAYABLE'), 0) as hotel,
             coalesce((select minor from back where kind = 'TAX_PAYABLE'), 0) as tax,
             coalesce((select minor from back where kind = 'COMMISSION_REVENUE'), 0) as commission
         from payment_order, asked where payment_id = $1",
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
    let refunds = refunds.into_iter().map(|refund| UnpostedRefund {
        refund_id: refund.refund_id,
        amount_minor: refund.amount_minor,
        owed: refund.owed.map(jiff_sqlx::Timestamp::to_jiff),
        paid: refund.paid.map(jiff_sqlx::Timestamp::to_jiff),
    });
    Ok(Unposted {
        sale: row.sale,
        charge: row.charge,
        paid_at: row.paid_at.to_jiff(),
        refunds: refunds.collect(),
        back: Parts { hotel: row.hotel, tax: row.tax, commission: row.commission },
    })
}
