//! The constraints and triggers of the payment tables, and the statements that rely on them.

use futures::future::join_all;
use rstest::rstest;
use sqlx::PgPool;
use staymesh_domain::PaymentId;
use staymesh_store::{StoreError, outbox};
use uuid::Uuid;

use super::{events, payments, refunds};
use crate::{
    model::{RefundReason, RefundRequest, Status},
    testing::{database, in_status, new_payment, now, open, opened, reservation_id},
};

/// The constraint that rejects a statement about one payment; `None` if the statement succeeds.
async fn refused(pool: &PgPool, sql: &'static str, id: PaymentId) -> Option<String> {
    let done = sqlx::query(sql).bind(id.as_uuid()).execute(pool).await;
    done.err().map(|error| StoreError::from(error).constraint().expect("a named constraint").to_owned())
}

async fn refund(pool: &PgPool, payment_id: PaymentId, amount_minor: i64) -> Result<Uuid, String> {
    let amount = crate::testing::eur(amount_minor);
    let (reason, request_id) = (RefundReason::Requested, Uuid::now_v7());
    let request = RefundRequest { reason, request_id, amount: Some(amount), goodwill: false };
    let done = refunds::insert(&mut pool.acquire().await.unwrap(), payment_id, &request, amount).await;
    done.map_err(|error| error.constraint().expect("a named constraint").to_owned())
}

#[test]
fn migration_creates_the_documented_outbox() {
    assert!(include_str!("../../../../migrations/payment/0002_outbox.sql").ends_with(outbox::SCHEMA));
}

#[tokio::test]
async fn transition_trigger_matches_status_can_become() {
    let database = database().await;
    let pool = database.pool();
    for from in Status::ALL {
        for to in Status::ALL.into_iter().filter(|to| *to != from) {
            let payment = in_status(pool, from).await;
            assert_eq!(payment.status, from);
            let mut connection = pool.acquire().await.unwrap();
            let done = payments::set_status(&mut connection, payment.payment_id, to).await;
            let by = done.as_ref().err().and_then(StoreError::constraint);
            let expected = match to {
                _ if !from.can_become(to) => Some("payment_order_legal_transition"),
                // Legal, but only together with a refund.
                Status::Refunding | Status::Refunded => Some("payment_order_status_fits_refunds"),
                _ => None,
            };
            assert_eq!(by, expected, "{from:?} to {to:?}");
        }
    }
}

#[rstest]
#[case::inserted_as_paid(
    "insert into payment_order (payment_id, reservation_id, hotel_id, owner, amount_minor, currency, expire_time, next_check_at, status) select gen_random_uuid(), gen_random_uuid(), 1, 'x', 1, 'EUR', now(), now(), 'PAID' where $1::uuid is not null",
    "payment_order_legal_transition"
)]
#[case::other_terms(
    "update payment_event set amount_minor = 1 where reservation_id in (select reservation_id from payment_order where payment_id = $1)",
    "payment_event_terms_are_fixed"
)]
#[case::terms_deleted(
    "delete from payment_event where reservation_id in (select reservation_id from payment_order where payment_id = $1)",
    "payment_event_terms_are_fixed"
)]
#[case::order_of_other_amount(
    "insert into payment_order (payment_id, reservation_id, hotel_id, owner, amount_minor, currency, expire_time, next_check_at) select gen_random_uuid(), reservation_id, hotel_id, owner, amount_minor + 1, currency, expire_time, next_check_at from payment_order where payment_id = $1",
    "payment_order_event_fkey"
)]
#[case::other_amount(
    "update payment_order set amount_minor = 1 where payment_id = $1",
    "payment_order_terms_are_fixed"
)]
#[case::order_of_change_without_terms(
    "insert into payment_order (payment_id, reservation_id, hotel_id, owner, amount_minor, currency, expire_time, next_check_at, revision) select gen_random_uuid(), reservation_id, hotel_id, owner, amount_minor, currency, expire_time, next_check_at, 2 from payment_order where payment_id = $1",
    "payment_order_event_fkey"
)]
#[case::other_revision("update payment_order set revision = 2 where payment_id = $1", "payment_order_terms_are_fixed")]
#[case::goodwill_of_a_change(
    "insert into refund (refund_id, payment_id, reason, request_id, amount_minor, goodwill, revision) values ($1, $1, 'REQUESTED', $1, 5, true, 2)",
    "refund_of_change_is_requested"
)]
#[case::dropped_change_gives_back(
    "insert into change_settlement (reservation_id, revision, dropped, refund_minor, currency, given_minor) values ($1, 2, true, 1, 'EUR', 0)",
    "change_settlement_dropped_changes_nothing"
)]
#[case::change_gives_back_more_than_it_should(
    "insert into change_settlement (reservation_id, revision, dropped, refund_minor, currency, given_minor, check_out) values ($1, 2, false, 1, 'EUR', 2, now())",
    "change_settlement_gives_at_most_refund"
)]
#[case::other_owner("update payment_order set owner = 'x' where payment_id = $1", "payment_order_terms_are_fixed")]
#[case::other_session(
    "update payment_order set psp_session = 'x' where payment_id = $1",
    "payment_order_terms_are_fixed"
)]
#[case::lost_session(
    "update payment_order set psp_session = null where payment_id = $1",
    "payment_order_terms_are_fixed"
)]
#[case::refund_sums_written(
    "update payment_order set refund_requested_minor = 5 where payment_id = $1",
    "payment_order_sums_follow_refunds"
)]
#[case::order_deleted("delete from payment_order where payment_id = $1", "payment_order_terms_are_fixed")]
#[case::zero_refund(
    "insert into refund (refund_id, payment_id, reason, request_id, amount_minor) values ($1, $1, 'REQUESTED', $1, 0)",
    "refund_amount_is_positive"
)]
#[case::negative_refund(
    "insert into refund (refund_id, payment_id, reason, request_id, amount_minor) values ($1, $1, 'REQUESTED', $1, -5)",
    "refund_amount_is_positive"
)]
#[case::refund_above_payment(
    "insert into refund (refund_id, payment_id, reason, request_id, amount_minor) values ($1, $1, 'REQUESTED', $1, 10001)",
    "payment_order_refunds_within_payment"
)]
#[case::refund_inserted_as_succeeded(
    "insert into refund (refund_id, payment_id, reason, request_id, amount_minor, status, succeeded_at) values ($1, $1, 'REQUESTED', $1, 1, 'SUCCEEDED', now())",
    "refund_legal_transition"
)]
#[case::refund_of_unknown_payment(
    "insert into refund (refund_id, payment_id, reason, request_id, amount_minor) values ($1, gen_random_uuid(), 'REQUESTED', $1, 1)",
    "refund_payment_fkey"
)]
#[tokio::test]
async fn invalid_change_is_rejected_by_its_constraint(#[case] sql: &'static str, #[case] constraint: &str) {
    let database = database().await;
    let payment = in_status(database.pool(), Status::Paid).await;
    assert_eq!(refused(database.pool(), sql, payment.payment_id).await.as_deref(), Some(constraint));
    assert_eq!(now(database.pool(), payment.payment_id).await, payment, "nothing has changed");
}

#[tokio::test]
async fn payment_sums_and_status_follow_its_refunds() {
    let database = database().await;
    let pool = database.pool();
    let id = in_status(pool, Status::Paid).await.payment_id;
    let (first, second) = (refund(pool, id, 6000).await.unwrap(), refund(pool, id, 3000).await.unwrap());
    assert_eq!(refund(pool, id, 1001).await.unwrap_err(), "payment_order_refunds_within_payment");
    let seen = async || {
        let payment = now(pool, id).await;
        (payment.status, payment.refund_requested.minor(), payment.refunded.minor())
    };
    assert_eq!(seen().await, (Status::Refunding, 9000, 0));
    let mut connection = pool.acquire().await.unwrap();
    assert!(refunds::succeed(&mut connection, id, second, "re_2").await.unwrap());
    assert!(!refunds::succeed(&mut connection, id, second, "re_2").await.unwrap(), "only once");
    assert_eq!(seen().await, (Status::Refunding, 9000, 3000));
    assert!(refunds::succeed(&mut connection, id, first, "re_1").await.unwrap());
    assert_eq!(seen().await, (Status::Refunded, 9000, 9000));
    // The remainder may be refunded later.
    refund(pool, id, 1000).await.unwrap();
    assert_eq!(seen().await, (Status::Refunding, 10_000, 9000));
    for sql in [
        "update refund set amount_minor = 1 where payment_id = $1",
        "update refund set status = 'REQUESTED', succeeded_at = null where payment_id = $1 and status = 'SUCCEEDED'",
        "delete from refund where payment_id = $1",
    ] {
        assert_eq!(refused(pool, sql, id).await.as_deref(), Some("refund_legal_transition"), "{sql}");
    }
    assert_eq!(seen().await, (Status::Refunding, 10_000, 9000));
}

#[rstest]
#[case(Status::Pending)]
#[case(Status::Failed)]
#[case(Status::Expired)]
#[tokio::test]
async fn refund_of_unpaid_payment_is_rejected(#[case] status: Status) {
    let database = database().await;
    let id = in_status(database.pool(), status).await.payment_id;
    assert_eq!(refund(database.pool(), id, 1).await.unwrap_err(), "payment_order_legal_transition");
}

#[tokio::test]
async fn concurrent_refunds_never_exceed_the_payment() {
    let database = database().await;
    let pool = database.pool();
    let id = in_status(pool, Status::Paid).await.payment_id;
    let results = join_all((0..32).map(|_| refund(pool, id, 900))).await;
    let made = results.iter().filter(|result| result.is_ok()).count();
    assert_eq!(made, 11, "of 32 refunds of 9.00 from 100.00");
    assert!(
        results.iter().filter_map(|result| result.as_ref().err()).all(|c| c == "payment_order_refunds_within_payment")
    );
    let sum: i64 = sqlx::query_scalar("select sum(amount_minor)::bigint from refund").fetch_one(pool).await.unwrap();
    assert_eq!((sum, now(pool, id).await.refund_requested.minor()), (9900, 9900));
}

#[tokio::test]
async fn concurrent_opens_create_one_payment() {
    let database = database().await;
    let (pool, reservation) = (database.pool(), reservation_id());
    let opened = join_all((0..32).map(|_| async move { opened(pool, &new_payment(reservation)).await })).await;
    assert!(opened.iter().all(|payment| *payment == opened[0]));
    let rows: i64 = sqlx::query_scalar("select count(*) from payment_order").fetch_one(pool).await.unwrap();
    assert_eq!(rows, 1);
    let second = "insert into payment_order (payment_id, reservation_id, hotel_id, owner, amount_minor, currency, \
        expire_time, next_check_at) select gen_random_uuid(), reservation_id, hotel_id, owner, amount_minor, currency, \
        expire_time, next_check_at from payment_order where payment_id = $1";
    let constraint = refused(pool, second, opened[0].payment_id).await;
    assert_eq!(constraint.as_deref(), Some("payment_order_one_open_key"));
}

/// What the release before writes: it names its conflict targets without a revision.
#[tokio::test]
async fn inserts_of_the_release_before_are_idempotent_beside_changes() {
    let database = database().await;
    let pool = database.pool();
    let booked = in_status(pool, Status::Paid).await;
    let id = booked.reservation_id;
    let split = staymesh_ledger::Split::new(booked.amount, booked.split.tax(), booked.split.commission()).unwrap();
    let change = crate::model::NewPayment { revision: 2, split, ..new_payment(id) };
    let of_change = opened(pool, &change).await;
    assert_eq!(of_change.revision, 2);
    for sql in [
        "insert into payment_event (reservation_id, hotel_id, owner, amount_minor, currency)
         select reservation_id, hotel_id, owner, amount_minor, currency from payment_order where payment_id = $1
         on conflict (reservation_id) do nothing",
        "insert into payment_order
             (payment_id, reservation_id, hotel_id, owner, amount_minor, currency, return_url, expire_time, next_check_at,
              tax_minor, commission_minor, check_out)
         select gen_random_uuid(), reservation_id, hotel_id, owner, amount_minor, currency, return_url, expire_time,
             next_check_at, tax_minor, commission_minor, check_out
         from payment_order where payment_id = $1
         on conflict (reservation_id) where status = 'PENDING' do nothing",
    ] {
        assert_eq!(refused(pool, sql, booked.payment_id).await, None, "{sql}");
    }
    let all = payments::of_reservation(pool, id).await.unwrap();
    assert_eq!(all.iter().map(|payment| payment.revision).collect::<Vec<_>>(), [1, 2], "one open page at a time");
}

#[tokio::test]
async fn open_after_expired_payment_creates_another() {
    let database = database().await;
    let pool = database.pool();
    for status in Status::ALL {
        let first = in_status(pool, status).await;
        let then = opened(pool, &new_payment(first.reservation_id)).await;
        assert_eq!(then.payment_id != first.payment_id, status == Status::Expired, "{status:?}");
    }
}

#[tokio::test]
async fn concurrent_claims_of_an_event_succeed_once() {
    let database = database().await;
    let pool = database.pool();
    let id = open(pool).await.payment_id;
    let claim = async || {
        let mut transaction = pool.begin().await.unwrap();
        let mine = events::claim(&mut transaction, "evt_1", "checkout.paid", Some(id), &[0; 32]).await.unwrap();
        transaction.commit().await.unwrap();
        mine
    };
    let taken = join_all((0..16).map(|_| claim())).await;
    assert_eq!(taken.into_iter().filter(|mine| *mine).count(), 1);
}
