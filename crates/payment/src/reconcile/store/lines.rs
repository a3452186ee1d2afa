//! Settlement files and their lines.

use jiff::civil::Date;
use jiff_sqlx::ToSqlx;
use sqlx::{PgConnection, PgExecutor};
use staymesh_psp::settlement::SettlementLine;
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::reconcile::model::Subject;

/// The key of the advisory lock that serializes reading files and judging cases. Unique in this database.
const LOCK: i64 = 0x7265_636f_6e63_696c;

/// Takes the advisory lock until the end of the transaction, so that no other run reads files or judges cases.
///
/// # Errors
/// When the database is unavailable or the lock times out.
pub async fn lock_exclusively(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

/// Whether the file of this day was read after the day was over.
///
/// # Errors
/// When the database is unavailable.
pub async fn is_complete(executor: impl PgExecutor<'_>, day: Date) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar("select exists (select from settlement_file where psp_day = $1 and not partial)")
        .bind(day.to_sqlx())
        .fetch_one(executor)
        .await?;
    Ok(found)
}

/// Deletes the stored file of a day and begins a new one.
///
/// # Errors
/// When the database is unavailable.
pub async fn begin(connection: &mut PgConnection, day: Date, partial: bool) -> Result<(), StoreError> {
    sqlx::query("delete from settlement_file where psp_day = $1").bind(day.to_sqlx()).execute(&mut *connection).await?;
    sqlx::query("insert into settlement_file (psp_day, lines, partial) values ($1, 0, $2)")
        .bind(day.to_sqlx())
        .bind(partial)
        .execute(connection)
        .await?;
    Ok(())
}

/// Appends lines to the file of a day that has `before` lines. The source of a line is the payment of its checkout session,
/// or else the id in its reference.
///
/// # Errors
/// When the database is unavailable, or a constraint is violated.
pub async fn add(
    connection: &mut PgConnection,
    day: Date,
    before: i64,
    lines: &[SettlementLine],
) -> Result<(), StoreError> {
    let texts = |of: fn(&SettlementLine) -> &str| lines.iter().map(of).collect::<Vec<_>>();
    let references: Vec<Option<Uuid>> = lines.iter().map(|line| line.reference.parse().ok()).collect();
    sqlx::query(
        "insert into settlement_line
             (psp_day, line, psp_id, kind, reference, session, amount_minor, currency, created_at, note, source_id)
         select $1, $2 + place, psp_id, kind, reference, session, read.amount_minor, read.currency,
             to_timestamp(created), note, coalesce(payment_id, reference_id)
         from unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::bigint[], $10::text[],
                 $11::uuid[])
             with ordinality as read
                 (psp_id, kind, reference, session, amount_minor, currency, created, note, reference_id, place)
         left join payment_order on kind = 'CHARGE' and psp_session = session",
    )
    .bind(day.to_sqlx())
    .bind(before)
    .bind(texts(|line| &line.psp_id))
    .bind(texts(|line| Subject::from(line.kind).as_str()))
    .bind(texts(|line| &line.reference))
    .bind(texts(|line| &line.session))
    .bind(lines.iter().map(|line| line.amount_minor).collect::<Vec<_>>())
    .bind(texts(|line| &line.currency))
    .bind(lines.iter().map(|line| line.created.as_second()).collect::<Vec<_>>())
    .bind(texts(|line| &line.note))
    .bind(references)
    .execute(connection)
    .await?;
    Ok(())
}

/// Records the number of lines in the file of a day.
///
/// # Errors
/// When the database is unavailable.
pub async fn end(connection: &mut PgConnection, day: Date, lines: i64) -> Result<(), StoreError> {
    sqlx::query("update settlement_file set lines = $2 where psp_day = $1")
        .bind(day.to_sqlx())
        .bind(lines)
        .execute(connection)
        .await?;
    Ok(())
}
