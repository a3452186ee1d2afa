//! The lines of a payout's statement.

use sqlx::{FromRow, PgPool};
use staymesh_domain::ReservationId;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::payouts::{LineKind, Shares, StatementLine};

#[derive(FromRow)]
struct Row {
    number: i32,
    reservation_id: Uuid,
    check_out: jiff_sqlx::Date,
    kind: String,
    net: i64,
    tax: i64,
    commission: i64,
}

impl TryFrom<Row> for StatementLine {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let kind = LineKind::of_transaction(&row.kind);
        let reservation_id = ReservationId::try_from(row.reservation_id);
        Ok(Self {
            number: row.number,
            reservation_id: reservation_id.map_err(|_| sqlx::Error::Decode("reservation_id".into()))?,
            check_out: row.check_out.to_jiff(),
            kind,
            shares: Shares::of(kind, row.net, row.tax, row.commission),
        })
    }
}

/// Each entry that the payout $1 settles, with the tax and commission entries of its transaction. Credits are positive.
macro_rules! lines {
    () => {
        "select number, reservation_id, check_out, t.kind, l.amount_minor as net, tax, commission
         from pay_out_line l join ledger_transaction t using (transaction_id)
         cross join lateral (
             select coalesce(-sum(e.amount_minor) filter (where a.kind = 'TAX_PAYABLE'), 0)::bigint as tax,
                 coalesce(-sum(e.amount_minor) filter (where a.kind = 'COMMISSION_REVENUE'), 0)::bigint as commission
             from ledger_entry e join ledger_account a using (account_id)
             where e.transaction_id = l.transaction_id) kept
         where payout_id = $1"
    };
}

/// The lines of a payout after this number.
///
/// # Errors
/// When the database is unavailable.
pub async fn lines(pool: &PgPool, payout_id: Uuid, after: i32, limit: i64) -> Result<Vec<StatementLine>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(lines!(), " and number > $2 order by number limit $3"))
        .bind(payout_id)
        .bind(after)
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.into_iter().map(StatementLine::try_from).collect()
}

/// The sum of all lines.
///
/// # Errors
/// When the database is unavailable, or the sum overflows.
pub async fn totals(pool: &PgPool, payout_id: Uuid) -> Result<Shares, StoreError> {
    let sums: Vec<(String, i64, i64, i64)> = sqlx::query_as(concat!(
        "select kind, sum(net)::bigint, sum(tax)::bigint, sum(commission)::bigint from (",
        lines!(),
        ") line group by kind"
    ))
    .bind(payout_id)
    .fetch_all(pool)
    .await?;
    let of = |(kind, net, tax, commission): (String, i64, i64, i64)| {
        Shares::of(LineKind::of_transaction(&kind), net, tax, commission)
    };
    let total = sums.into_iter().map(of).try_fold(Shares::default(), Shares::checked_add);
    total.ok_or_else(|| sqlx::Error::Decode("the totals of a payout".into()).into())
}
