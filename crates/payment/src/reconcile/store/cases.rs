//! Reconciliation cases.

use jiff::Timestamp;
use jiff_sqlx::ToSqlx;
use sqlx::{FromRow, PgConnection, PgExecutor};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::reconcile::model::{Case, CaseFilter, CaseKind, Finding, Replay, Resolution, State, Subject};

#[derive(FromRow)]
struct Row {
    case_id: Uuid,
    day: jiff_sqlx::Date,
    // The column of the kind: renaming it would break the release before this one during a rolling upgrade.
    class: String,
    subject_kind: String,
    subject_id: String,
    psp_id: Option<String>,
    source_id: Option<Uuid>,
    payment_id: Option<Uuid>,
    reservation_id: Option<Uuid>,
    expected_minor: Option<i64>,
    expected_currency: Option<String>,
    found_minor: Option<i64>,
    found_currency: Option<String>,
    detail: String,
    replay: Option<String>,
    state: String,
    owner: Option<String>,
    note: String,
    resolution: Option<String>,
    version: i32,
    created_at: jiff_sqlx::Timestamp,
    found_at: jiff_sqlx::Timestamp,
    changed_at: jiff_sqlx::Timestamp,
    replayed_at: Option<jiff_sqlx::Timestamp>,
}

macro_rules! columns {
    () => {
        "case_id, day, class, subject_kind, subject_id, psp_id, source_id, payment_id, reservation_id, expected_minor, \
         expected_currency, found_minor, found_currency, detail, replay, state, owner, note, resolution, version, \
         created_at, found_at, changed_at, replayed_at"
    };
}

impl TryFrom<Row> for Case {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let broken = |what: &str| StoreError::from(sqlx::Error::Decode(what.into()));
        let replay = row.replay.map(|name| Replay::from_name(&name).ok_or_else(|| broken("replay"))).transpose()?;
        let resolution =
            row.resolution.map(|name| Resolution::from_name(&name).ok_or_else(|| broken("resolution"))).transpose()?;
        Ok(Self {
            case_id: row.case_id,
            finding: Finding {
                kind: CaseKind::from_name(&row.class).ok_or_else(|| broken("class"))?,
                subject: Subject::from_name(&row.subject_kind).ok_or_else(|| broken("subject_kind"))?,
                subject_id: row.subject_id,
                day: row.day.to_jiff(),
                psp_id: row.psp_id,
                source_id: row.source_id,
                payment_id: row.payment_id,
                reservation_id: row.reservation_id,
                expected: row.expected_minor.zip(row.expected_currency),
                found: row.found_minor.zip(row.found_currency),
                detail: row.detail,
                replay,
            },
            state: State::from_name(&row.state).ok_or_else(|| broken("state"))?,
            owner: row.owner,
            note: row.note,
            resolution,
            version: row.version,
            create_time: row.created_at.to_jiff(),
            find_time: row.found_at.to_jiff(),
            update_time: row.changed_at.to_jiff(),
            replay_time: row.replayed_at.map(jiff_sqlx::Timestamp::to_jiff),
        })
    }
}

/// Cases, newest first, after the one given.
///
/// # Errors
/// When the database is unavailable.
pub async fn list(
    executor: impl PgExecutor<'_>,
    filter: CaseFilter,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Case>, StoreError> {
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "select ",
        columns!(),
        " from reconciliation_case
         where ($1::text is null or state = $1) and ($2::text is null or class = $2) and ($3::date is null or day = $3)
             and ($4::uuid is null or case_id < $4)
         order by case_id desc limit $5"
    ))
    .bind(filter.state.map(State::as_str))
    .bind(filter.kind.map(CaseKind::as_str))
    .bind(filter.day.map(ToSqlx::to_sqlx))
    .bind(after)
    .bind(limit)
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(Case::try_from).collect()
}

/// Finds a case.
///
/// # Errors
/// When the database is unavailable.
pub async fn find(executor: impl PgExecutor<'_>, case_id: Uuid) -> Result<Option<Case>, StoreError> {
    let row: Option<Row> =
        sqlx::query_as(concat!("select ", columns!(), " from reconciliation_case where case_id = $1"))
            .bind(case_id)
            .fetch_optional(executor)
            .await?;
    row.map(Case::try_from).transpose()
}

/// Finds a case and locks it until the end of the transaction.
///
/// # Errors
/// When the database is unavailable or the lock times out.
pub async fn lock(connection: &mut PgConnection, case_id: Uuid) -> Result<Option<Case>, StoreError> {
    let row: Option<Row> =
        sqlx::query_as(concat!("select ", columns!(), " from reconciliation_case where case_id = $1 for update"))
            .bind(case_id)
            .fetch_optional(connection)
            .await?;
    row.map(Case::try_from).transpose()
}

/// Upserts a case for each finding. A case that was resolved because its difference was gone is reopened; one that an
/// administrator resolved stays resolved. Returns how many are new or reopened.
///
/// # Errors
/// When the database is unavailable, or a constraint is violated.
pub async fn record(connection: &mut PgConnection, findings: &[Finding]) -> Result<i64, StoreError> {
    let texts = |of: fn(&Finding) -> &str| findings.iter().map(of).collect::<Vec<_>>();
    let ids = |of: fn(&Finding) -> Option<Uuid>| findings.iter().map(of).collect::<Vec<_>>();
    let minors = |of: fn(&Finding) -> Option<i64>| findings.iter().map(of).collect::<Vec<_>>();
    let names = |of: fn(&Finding) -> Option<&str>| findings.iter().map(of).collect::<Vec<_>>();
    let opened = sqlx::query_scalar(
        "with found as materialized (
             select * from unnest($1::uuid[], $2::date[], $3::text[], $4::text[], $5::text[], $6::text[], $7::uuid[],
                 $8::uuid[], $9::uuid[], $10::bigint[], $11::text[], $12::bigint[], $13::text[], $14::text[], $15::text[])
                 as found (case_id, day, class, subject_kind, subject_id, psp_id, source_id, payment_id, reservation_id,
                     expected_minor, expected_currency, found_minor, found_currency, detail, replay)
         ), known as materialized (
             select found.case_id from found
             join reconciliation_case known using (class, subject_kind, subject_id)
             where not (known.state = 'RESOLVED' and known.resolution = 'GONE')
         ), written as (
             insert into reconciliation_case (case_id, day, class, subject_kind, subject_id, psp_id, source_id, payment_id,
                 reservation_id, expected_minor, expected_currency, found_minor, found_currency, detail, replay)
             select * from found order by class, subject_kind, subject_id
             on conflict (class, subject_kind, subject_id) do update
             set (day, psp_id, source_id, payment_id, reservation_id, expected_minor, expected_currency, found_minor,
                     found_currency, detail, replay, found_at)
                 = (excluded.day, excluded.psp_id, excluded.source_id, excluded.payment_id, excluded.reservation_id,
                     excluded.expected_minor, excluded.expected_currency, excluded.found_minor, excluded.found_currency,
                     excluded.detail, excluded.replay, now()),
                 state = case when reconciliation_case.resolution = 'GONE' then 'OPEN' else reconciliation_case.state end,
                 owner = case when reconciliation_case.resolution = 'GONE' then null else reconciliation_case.owner end,
                 resolution = nullif(reconciliation_case.resolution, 'GONE')
             returning 1
         )
         select (select count(*) from written) - (select count(*) from known)",
    )
    .bind(findings.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>())
    .bind(findings.iter().map(|finding| finding.day.to_sqlx()).collect::<Vec<_>>())
    .bind(texts(|finding| finding.kind.as_str()))
    .bind(texts(|finding| finding.subject.as_str()))
    .bind(texts(|finding| &finding.subject_id))
    .bind(names(|finding| finding.psp_id.as_deref()))
    .bind(ids(|finding| finding.source_id))
    .bind(ids(|finding| finding.payment_id))
    .bind(ids(|finding| finding.reservation_id))
    .bind(minors(|finding| finding.expected.as_ref().map(|(minor, _)| *minor)))
    .bind(names(|finding| finding.expected.as_ref().map(|(_, currency)| currency.as_str())))
    .bind(minors(|finding| finding.found.as_ref().map(|(minor, _)| *minor)))
    .bind(names(|finding| finding.found.as_ref().map(|(_, currency)| currency.as_str())))
    .bind(texts(|finding| &finding.detail))
    .bind(names(|finding| finding.replay.map(Replay::as_str)))
    .fetch_one(connection)
    .await?;
    Ok(opened)
}

/// Resolves the cases whose difference is gone: unresolved ones that were not found since `since`, all or the one given.
/// Returns how many.
///
/// # Errors
/// When the database is unavailable.
pub async fn resolve_gone(
    connection: &mut PgConnection,
    since: Timestamp,
    case_id: Option<Uuid>,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update reconciliation_case set state = 'RESOLVED', resolution = 'GONE'
         where state <> 'RESOLVED' and found_at < $1 and case_id = coalesce($2, case_id)",
    )
    .bind(since.to_sqlx())
    .bind(case_id)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// The number of unresolved cases of each kind.
///
/// # Errors
/// When the database is unavailable.
pub async fn unresolved(executor: impl PgExecutor<'_>) -> Result<Vec<(CaseKind, i64)>, StoreError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select class, count(*) from reconciliation_case where state <> 'RESOLVED' group by class order by class",
    )
    .fetch_all(executor)
    .await?;
    let known = |(name, count): (String, i64)| CaseKind::from_name(&name).map(|kind| (kind, count));
    rows.into_iter().map(|row| known(row).ok_or_else(|| sqlx::Error::Decode("class".into()).into())).collect()
}

/// Assigns a locked case.
///
/// # Errors
/// When the database is unavailable.
pub async fn assign(connection: &mut PgConnection, case_id: Uuid, owner: &str) -> Result<(), StoreError> {
    sqlx::query("update reconciliation_case set state = 'ASSIGNED', owner = $2 where case_id = $1")
        .bind(case_id)
        .bind(owner)
        .execute(connection)
        .await?;
    Ok(())
}

/// Resolves a locked case. `by` becomes its owner if it has none.
///
/// # Errors
/// When the database is unavailable.
pub async fn resolve(connection: &mut PgConnection, case_id: Uuid, by: &str, note: &str) -> Result<(), StoreError> {
    sqlx::query(
        "update reconciliation_case
         set state = 'RESOLVED', resolution = 'SETTLED', owner = coalesce(owner, $2), note = $3 where case_id = $1",
    )
    .bind(case_id)
    .bind(by)
    .bind(note)
    .execute(connection)
    .await?;
    Ok(())
}

/// Records the time of a replay.
///
/// # Errors
/// When the database is unavailable.
pub async fn record_replay(executor: impl PgExecutor<'_>, case_id: Uuid) -> Result<(), StoreError> {
    sqlx::query("update reconciliation_case set replayed_at = now() where case_id = $1")
        .bind(case_id)
        .execute(executor)
        .await?;
    Ok(())
}
