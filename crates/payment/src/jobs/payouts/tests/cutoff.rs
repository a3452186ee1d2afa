use jiff::civil::date;
use serde_json::json;
use staymesh_store::outbox;

use super::{Found, Options, everything, make_payouts, send_to, sold};
use crate::{
    jobs::payouts::default_cutoff,
    model::ChangeSettlement,
    store::change_settlements,
    testing::{database, eur},
};

#[test]
fn default_cutoff_is_two_days_ago_in_utc() {
    let cutoff = |time: &str| default_cutoff(time.parse().unwrap());
    assert_eq!(cutoff("2030-03-01T00:00:00Z"), date(2030, 2, 27));
    assert_eq!(cutoff("2030-03-01T23:59:59Z"), date(2030, 2, 27));
    assert_eq!(cutoff("2030-03-02T03:00:00+04:00"), date(2030, 2, 27), "by UTC");
}

#[tokio::test]
async fn payment_that_the_reservation_has_not_accepted_is_not_paid_out() {
    let database = database().await;
    let pool = database.pool();
    let payment = sold(pool).await;
    send_to(pool, 7, "acct_7").await;
    let mut connection = pool.acquire().await.unwrap();
    let id = payment.payment_id.as_uuid();
    outbox::enqueue(&mut connection, id, "payment.paid", &json!({}), None).await.unwrap();
    // Under way, and then given up: staff decide on a dead letter.
    for state in ["update outbox set parked_at = null", "update outbox set parked_at = now()"] {
        sqlx::query(state).execute(&mut *connection).await.unwrap();
        let found = make_payouts(pool, &everything()).await;
        assert!(!found.iter().any(|found| matches!(found, Found::Paid { .. })), "{state}: {found:?}");
    }
    let delivered = "update outbox set delivered_at = now(), parked_at = null";
    sqlx::query(delivered).execute(&mut *connection).await.unwrap();
    let found = make_payouts(pool, &everything()).await;
    assert!(matches!(found.as_slice(), [Found::Paid { .. }]), "{found:?}");
}

#[tokio::test]
async fn changed_stay_is_paid_out_after_its_latest_check_out() {
    let database = database().await;
    let pool = database.pool();
    let payment = sold(pool).await;
    send_to(pool, 7, "acct_7").await;
    let id = payment.reservation_id;
    // Longer, then given up, then a day shorter than that.
    for (revision, check_out) in [(2, Some(date(2030, 5, 10))), (3, None), (4, Some(date(2030, 5, 9)))] {
        let change = ChangeSettlement { revision, refund: eur(0), sale: None, dropped: check_out.is_none() };
        change_settlements::insert(pool, id, &change, eur(0), check_out).await.unwrap();
    }
    let until = |until| Options { until, ..everything() };
    let early = make_payouts(pool, &until(date(2030, 5, 9))).await;
    assert!(!early.iter().any(|found| matches!(found, Found::Paid { .. })), "{early:?}");
    let found = make_payouts(pool, &until(date(2030, 5, 10))).await;
    assert!(matches!(found.as_slice(), [Found::Paid { .. }]), "{found:?}");
    let report = crate::check::run(pool, &crate::check::Options::default(), |_| {}).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.listed);
}
