//! Settlement lines matched with ledger postings.

use jiff::{Timestamp, civil::Date};
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::reconcile::{
    classify::{AtProvider, Pair, Recorded},
    model::Subject,
};

/// What to compare.
#[derive(Debug, Clone, Copy)]
pub enum Scope {
    /// A day, and every unresolved case.
    Day {
        /// The lines of its file and of the day before, whose youngest lines were not judged on that day.
        day: Date,
        /// Lines from then on are not judged.
        cutoff: Timestamp,
        /// Postings from then on.
        posted_from: Timestamp,
        /// Postings before then.
        posted_until: Timestamp,
    },
    /// One case.
    Case(Uuid),
}

#[derive(FromRow)]
struct Row {
    kind: String,
    psp_id: Option<String>,
    session: Option<String>,
    note: Option<String>,
    copies: Option<i64>,
    is_another: bool,
    there_minor: Option<i64>,
    there_currency: Option<String>,
    psp_day: Option<jiff_sqlx::Date>,
    source_id: Option<Uuid>,
    payment_id: Option<Uuid>,
    reservation_id: Option<Uuid>,
    status: Option<String>,
    here_psp_id: Option<String>,
    posted_minor: Option<i64>,
    posted_currency: Option<String>,
    posted_day: Option<jiff_sqlx::Date>,
}

impl TryFrom<Row> for Pair {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let subject = Subject::from_name(&row.kind).ok_or_else(|| sqlx::Error::Decode("kind".into()))?;
        let there = match (row.psp_id, row.copies, row.there_minor, row.there_currency, row.psp_day) {
            (Some(psp_id), Some(copies), Some(minor), Some(currency), Some(day)) => Some(AtProvider {
                psp_id,
                session: row.session.unwrap_or_default(),
                note: row.note.unwrap_or_default(),
                copies,
                is_another: row.is_another,
                sum: (minor, currency),
                day: day.to_jiff(),
            }),
            _ => None,
        };
        let posted = match (row.posted_minor, row.posted_currency, row.posted_day) {
            (Some(minor), Some(currency), Some(day)) => Some(((minor, currency), day.to_jiff())),
            _ => None,
        };
        let here = match (row.source_id, row.status) {
            (Some(source_id), Some(status)) => Some(Recorded {
                source_id,
                payment_id: row.payment_id,
                reservation_id: row.reservation_id,
                status,
                posted,
                psp_id: row.here_psp_id,
            }),
            _ => None,
        };
        Ok(Self { subject, provider: there, recorded: here })
    }
}

/// The pairs in this scope that are not plainly equal, at most `limit`. A pair is assembled from all lines and postings,
/// whatever their day.
///
/// # Errors
/// When the database is unavailable.
pub async fn unequal(connection: &mut PgConnection, scope: Scope, limit: i64) -> Result<Vec<Pair>, StoreError> {
    let (day, case) = match scope {
        Scope::Day { day, .. } => (Some(day), None),
        Scope::Case(case) => (None, Some(case)),
    };
    let (cutoff, from, until) = match scope {
        Scope::Day { cutoff, posted_from, posted_until, .. } => (Some(cutoff), Some(posted_from), Some(posted_until)),
        Scope::Case(_) => (None, None, None),
    };
    let rows: Vec<Row> = sqlx::query_as(
        "with key as materialized (
             select kind, psp_id, source_id from settlement_line
             where psp_day between $1 - 1 and $1 and created_at < $2
             union
             select case kind when 'CHARGE' then 'CHARGE' when 'REFUND_PAID' then 'REFUND' else 'TRANSFER' end, null,
                 coalesce(transfer_id, source_id)
             from ledger_transaction
             left join pay_out_transfer on kind = 'PAY_OUT' and payout_id = source_id and status = 'PAID'
             where posted_at >= $3 and posted_at < $4 and kind in ('CHARGE', 'REFUND_PAID', 'PAY_OUT')
             union
             select subject_kind, psp_id, source_id from reconciliation_case
             where state <> 'RESOLVED' and subject_kind in ('CHARGE', 'REFUND', 'TRANSFER', 'OTHER')
                 and case_id = coalesce($5, case_id)
         ), seen as (
             select line.* from settlement_line line
             join (select distinct kind, psp_id from key where psp_id is not null) k using (kind, psp_id)
             union
             select line.* from settlement_line line
             join (select distinct kind, source_id from key where source_id is not null) k using (kind, source_id)
         ), there as (
             select kind, source_id, psp_id, min(session) as session, min(note) as note, count(*) as copies,
                 min(psp_day) as psp_day,
                 (array_agg(amount_minor order by psp_day, line))[1] as minor,
                 (array_agg(currency order by psp_day, line))[1] as currency, min(created_at) as created_at
             from seen group by kind, source_id, psp_id
         ), source as (
             select kind, source_id from key where source_id is not null
             union
             select kind, source_id from there where source_id is not null
         ), ours as (
             select 'CHARGE' as kind, 'CHARGE' as posting, payment_id as posting_source, payment_id as source_id, payment_id,
                 reservation_id, status, psp_session as psp_id
             from source join payment_order on payment_id = source_id where kind = 'CHARGE' and method = 'PROVIDER'
             union all
             select 'REFUND', 'REFUND_PAID', refund_id, refund_id, payment_id, reservation_id, refund.status, psp_refund
             from source join refund on refund_id = source_id join payment_order using (payment_id)
             where kind = 'REFUND' and method = 'PROVIDER'
             union all
             -- The posting of a payout is that of its paid transfer.
             select 'TRANSFER', 'PAY_OUT', case when status = 'PAID' then payout_id end, transfer_id, null, null, status,
                 psp_transfer
             from source join pay_out_transfer on transfer_id = source_id where kind = 'TRANSFER'
         ), here as (
             select ours.*, abs(entry.amount_minor) as minor, entry.currency, posted.posted_at
             from ours
             left join ledger_transaction posted on posted.kind = ours.posting and posted.source_id = ours.posting_source
             left join lateral (
                 select amount_minor, ledger_entry.currency from ledger_entry
                 join ledger_account using (account_id)
                 where ledger_entry.transaction_id = posted.transaction_id and ledger_account.kind = 'PSP_CLEARING'
                 order by line limit 1) entry on true
         ), pair as (
             select coalesce(here.kind, there.kind) as kind, there.psp_id, there.session, there.note, there.copies,
                 there.source_id is not null and row_number() over (
                     partition by there.kind, there.source_id
                     order by case here.kind when 'CHARGE' then there.session else there.psp_id end is distinct from here.psp_id,
                         there.created_at, there.psp_id) > 1 as is_another,
                 there.minor as there_minor, there.currency as there_currency, there.psp_day,
                 here.source_id, here.payment_id, here.reservation_id, here.status, here.psp_id as here_psp_id,
                 here.minor as posted_minor, here.currency as posted_currency,
                 (here.posted_at at time zone 'UTC')::date as posted_day
             from here full join there on there.kind = here.kind and there.source_id = here.source_id
         )
         select * from pair
         where copies is distinct from 1 or is_another
             or (there_minor, there_currency) is distinct from (posted_minor, posted_currency)
         order by kind, coalesce(psp_id, ''), source_id
         limit $6",
    )
    .bind(day.map(ToSqlx::to_sqlx))
    .bind(cutoff.map(ToSqlx::to_sqlx))
    .bind(from.map(ToSqlx::to_sqlx))
    .bind(until.map(ToSqlx::to_sqlx))
    .bind(case)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Pair::try_from).collect()
}
