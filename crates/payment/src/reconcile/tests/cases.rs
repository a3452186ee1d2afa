//! Assigning, resolving and listing cases, and the constraints on them.

use rstest::rstest;
use staymesh_domain::Text;
use staymesh_store::StoreError;
use uuid::Uuid;

use super::*;
use crate::{
    error::PaymentError,
    reconcile::{
        cases::{assign, get, list, resolve},
        model::{Resolution, State},
    },
};

fn text(text: &str) -> Text {
    Text::line(text, 1..=200).unwrap()
}

/// A case of a charge that is missing at the provider, and the files it was found with.
async fn one_case(pool: &PgPool) -> (Case, Files) {
    let files = Files::default();
    paid(pool).await;
    run_today(pool, &files).await;
    (listed(pool).await.remove(0), files)
}

#[tokio::test]
async fn resolved_case_stays_settled_and_stale_etag_is_refused() {
    let database = database().await;
    let pool = database.pool();
    let (case, files) = one_case(pool).await;
    let id = case.case_id;
    assert!(matches!(get(pool, Uuid::now_v7()).await, Err(PaymentError::CaseNotFound)));
    let taken = assign(pool, id, &text("user-1"), &case.etag()).await.unwrap();
    assert_eq!((taken.state, taken.owner.as_deref()), (State::Assigned, Some("user-1")));
    assert_ne!(taken.etag(), case.etag());
    assert_eq!(assign(pool, id, &text("user-1"), &case.etag()).await.unwrap(), taken, "assigning is idempotent");
    assert!(matches!(assign(pool, id, &text("user-2"), &case.etag()).await, Err(PaymentError::CaseChanged)));
    assert_eq!(assign(pool, id, &text("user-2"), "").await.unwrap().owner.as_deref(), Some("user-2"));

    let over = resolve(pool, id, "user-3", &text("the provider has corrected it"), "").await.unwrap();
    assert_eq!((over.state, over.resolution), (State::Resolved, Some(Resolution::Settled)));
    assert_eq!(over.owner.as_deref(), Some("user-2"), "the owner is kept");
    assert_eq!(resolve(pool, id, "user-3", &text("the provider has corrected it"), "1").await.unwrap(), over);
    assert!(matches!(resolve(pool, id, "user-3", &text("otherwise"), "").await, Err(PaymentError::CaseResolved)));
    assert!(matches!(assign(pool, id, &text("user-3"), "").await, Err(PaymentError::CaseResolved)));

    let again = run_today(pool, &files).await;
    assert_eq!((again.counts.found, again.counts.opened, again.unresolved.len()), (1, 0, 0));
    let still = get(pool, id).await.unwrap();
    assert_eq!((still.resolution, still.etag()), (Some(Resolution::Settled), over.etag()));
}

#[tokio::test]
async fn list_filters_by_state_kind_and_day_newest_first() {
    let database = database().await;
    let pool = database.pool();
    let (case, files) = one_case(pool).await;
    let payment = paid(pool).await;
    files.set(today(), &[SettlementLine { amount_minor: 1, ..charge(&payment) }]);
    run_today(pool, &files).await;
    assign(pool, case.case_id, &text("user-1"), "").await.unwrap();
    let shown = async |filter: CaseFilter| {
        let page = staymesh_domain::Page::parse(1, "", &[]).unwrap();
        let (first, token) = list(pool, filter, &page).await.unwrap();
        let more = if token.is_empty() {
            Vec::new()
        } else {
            list(pool, filter, &staymesh_domain::Page::parse(1, &token, &[]).unwrap()).await.unwrap().0
        };
        first.into_iter().chain(more).map(|case| case.finding.kind).collect::<Vec<_>>()
    };
    let any = CaseFilter::default();
    assert_eq!(shown(any).await, [CaseKind::Amount, CaseKind::MissingAtPsp]);
    assert_eq!(shown(CaseFilter { state: Some(State::Assigned), ..any }).await, [CaseKind::MissingAtPsp]);
    assert_eq!(shown(CaseFilter { kind: Some(CaseKind::Amount), ..any }).await, [CaseKind::Amount]);
    assert_eq!(shown(CaseFilter { day: Some(yesterday()), ..any }).await, []);
    assert_eq!(shown(CaseFilter { day: Some(today()), ..any }).await.len(), 2);
}

#[rstest]
#[case::begins_assigned(
    "insert into reconciliation_case (case_id, day, class, subject_kind, subject_id, detail, state, owner) values ($1, now(), 'AMOUNT', 'CHARGE', 'x', '', 'ASSIGNED', 'me')",
    "reconciliation_case_legal_transition"
)]
#[case::deleted("delete from reconciliation_case where case_id = $1", "reconciliation_case_is_kept")]
#[case::other_subject(
    "update reconciliation_case set subject_id = 'x' where case_id = $1",
    "reconciliation_case_is_kept"
)]
#[case::assigned_without_owner(
    "update reconciliation_case set state = 'ASSIGNED' where case_id = $1",
    "reconciliation_case_assigned_to_somebody"
)]
#[case::resolved_without_resolution(
    "update reconciliation_case set state = 'RESOLVED' where case_id = $1",
    "reconciliation_case_resolved_somehow"
)]
#[case::unknown_class("update reconciliation_case set class = 'ODD' where case_id = $1", "reconciliation_case_is_kept")]
#[case::unknown_state(
    "update reconciliation_case set state = 'ODD' where case_id = $1",
    "reconciliation_case_state_is_known"
)]
#[tokio::test]
async fn illegal_change_of_case_is_rejected(#[case] sql: &'static str, #[case] name: &str) {
    let database = database().await;
    let (case, _) = one_case(database.pool()).await;
    let id = if sql.starts_with("insert") { Uuid::now_v7() } else { case.case_id };
    let done = sqlx::query(sql).bind(id).execute(database.pool()).await;
    assert_eq!(StoreError::from(done.unwrap_err()).constraint(), Some(name));
}

#[tokio::test]
async fn settled_case_cannot_be_reopened_or_changed() {
    let database = database().await;
    let pool = database.pool();
    let (case, _) = one_case(pool).await;
    resolve(pool, case.case_id, "me", &text("done"), "").await.unwrap();
    for sql in [
        "update reconciliation_case set state = 'OPEN', resolution = null, owner = null where case_id = $1",
        "update reconciliation_case set resolution = 'GONE' where case_id = $1",
        "update reconciliation_case set note = 'otherwise' where case_id = $1",
    ] {
        let done = sqlx::query(sql).bind(case.case_id).execute(pool).await;
        assert_eq!(StoreError::from(done.unwrap_err()).constraint(), Some("reconciliation_case_legal_transition"));
    }
}
