//! Replaying cases: repeating the call to the provider, the delivery or the fold that resolves them.

use staymesh_ledger::wallets;
use staymesh_psp::{CheckoutStatus, PspError, TransferOutcome, Transferred};
use uuid::Uuid;

use super::*;
use crate::{
    error::PaymentError,
    jobs::payouts::tests as payouts,
    model::Status,
    reconcile::model::Resolution,
    service::Payments,
    testing::{MockPsp, checkout, in_status, outbox, request_refund, service},
};

fn with(pool: &PgPool, psp: MockPsp) -> Payments<MockPsp> {
    service(pool, MockReservationClient::new(), psp)
}

async fn only_case(pool: &PgPool) -> Case {
    let mut cases = listed(pool).await;
    assert_eq!(cases.len(), 1, "{cases:?}");
    cases.remove(0)
}

#[tokio::test]
async fn replay_of_charge_without_event_fetches_checkout_and_marks_payment_paid() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let payment = in_status(pool, Status::Expired).await;
    files.set(today(), &[charge(&payment)]);
    run(pool, &files, &all(ReservationStatus::Cancelled), options(), |_| {}).await.unwrap();
    let case = only_case(pool).await;
    assert!(case.can_replay() && case.finding.kind == CaseKind::Status);

    let mut unavailable = MockPsp::new();
    unavailable
        .expect_fetch_checkout()
        .returning(|_| Box::pin(async { Err(PspError::Unavailable("connection refused")) }));
    assert!(matches!(with(pool, unavailable).replay_case(case.case_id).await, Err(PaymentError::PspUnavailable)));
    assert_eq!(only_case(pool).await, case);

    let answers = |status| {
        let (answer, mut psp) = (checkout(&payment, status), MockPsp::new());
        psp.expect_fetch_checkout().times(1).returning(move |session| {
            assert_eq!(session, answer.session);
            let answer = answer.clone();
            Box::pin(async { Ok(answer) })
        });
        with(pool, psp)
    };
    let still = answers(CheckoutStatus::Expired).replay_case(case.case_id).await.unwrap();
    assert!(still.resolution.is_none() && still.replay_time.is_some(), "the provider contradicts its own file");

    let service = answers(CheckoutStatus::Paid);
    let gone = service.replay_case(case.case_id).await.unwrap();
    assert_eq!(gone.resolution, Some(Resolution::Gone));
    assert_eq!(testing::now(pool, payment.payment_id).await.status, Status::Paid);
    assert_eq!(outbox(pool).await, ["payment.paid"]);
    assert_eq!(service.replay_case(case.case_id).await.unwrap(), gone, "the provider is not called again");
}

#[tokio::test]
async fn replay_of_refund_reuses_its_idempotency_key() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let payment = paid(pool).await;
    let refund_id = request_refund(pool, &payment, 2500).await;
    let line = SettlementLine {
        psp_id: "re_1".into(),
        kind: MovementKind::Refund,
        reference: refund_id.to_string(),
        amount_minor: 2500,
        ..charge(&payment)
    };
    files.set(today(), &[charge(&payment), line]);
    run_today(pool, &files).await;
    let case = only_case(pool).await;
    let mut psp = MockPsp::new();
    psp.expect_refund().times(1).returning(move |order| {
        assert_eq!((order.refund_id, order.amount.minor()), (refund_id, 2500));
        Box::pin(async { Ok("re_1".to_owned()) })
    });
    let gone = with(pool, psp).replay_case(case.case_id).await.unwrap();
    assert_eq!(gone.resolution, Some(Resolution::Gone));
    assert_eq!(testing::now(pool, payment.payment_id).await.refunded.minor(), 2500);
    assert_eq!(run_today(pool, &files).await.counts.found, 0);
}

#[tokio::test]
async fn transfer_is_matched_by_its_id_and_replay_requests_it_again() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let sale = payouts::sold(pool).await;
    let payout_id = payouts::requested(pool).await;
    let transfer_id: Uuid = sqlx::query_scalar("select transfer_id from pay_out_transfer where payout_id = $1")
        .bind(payout_id)
        .fetch_one(pool)
        .await
        .unwrap();
    let line = SettlementLine {
        psp_id: "tr_1".into(),
        kind: MovementKind::Transfer,
        reference: transfer_id.to_string(),
        session: String::new(),
        amount_minor: 7905,
        ..charge(&sale)
    };
    files.set(today(), &[charge(&sale), line.clone()]);
    run_today(pool, &files).await;
    let case = only_case(pool).await;
    assert_eq!((case.finding.kind, case.finding.subject_id.clone()), (CaseKind::Status, transfer_id.to_string()));
    let mut psp = MockPsp::new();
    psp.expect_transfer().times(1).returning(move |order| {
        assert_eq!((order.transfer_id, order.amount.minor()), (transfer_id, 7905));
        Box::pin(async { Ok(Transferred { psp_transfer: "tr_1".into(), outcome: TransferOutcome::Paid }) })
    });
    let gone = with(pool, psp).replay_case(case.case_id).await.unwrap();
    assert_eq!(gone.resolution, Some(Resolution::Gone));
    assert_eq!(run_today(pool, &files).await.counts.found, 0, "the payout is posted");

    files.set(today(), &[charge(&sale), SettlementLine { amount_minor: 7904, ..line }]);
    run_today(pool, &files).await;
    let amount = (CaseKind::Amount, Subject::Transfer, transfer_id.to_string());
    assert_eq!(open_cases(pool).await, [amount]);
    files.set(today(), &[charge(&sale)]);
    run_today(pool, &files).await;
    let missing = (CaseKind::MissingAtPsp, Subject::Transfer, transfer_id.to_string());
    assert_eq!(open_cases(pool).await, [missing]);
}

#[tokio::test]
async fn replay_of_dead_letter_delivers_it_and_the_next_run_closes_the_case() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let payment = paid(pool).await;
    files.set(today(), &[charge(&payment)]);
    sqlx::query("update outbox set parked_at = now()").execute(pool).await.unwrap();
    run_today(pool, &files).await;
    let case = only_case(pool).await;
    assert!(case.can_replay() && case.finding.kind == CaseKind::Reservation);
    let sent = with(pool, MockPsp::new()).replay_case(case.case_id).await.unwrap();
    assert!(sent.resolution.is_none());
    assert_eq!(outbox(pool).await, ["payment.paid"]);
    all_delivered(pool, &payment).await;
    assert_eq!(run_today(pool, &files).await.counts.closed, 1);
}

#[tokio::test]
async fn replay_of_wallet_case_sums_the_wallet_again() {
    let database = database().await;
    let pool = database.pool();
    let files = Files::default();
    let payment = paid(pool).await;
    files.set(today(), &[charge(&payment)]);
    sqlx::query("insert into wallet select min(account_id), 77, '4' from ledger_account").execute(pool).await.unwrap();
    run_today(pool, &files).await;
    let case = only_case(pool).await;
    assert_eq!(case.finding.kind, CaseKind::Wallet);
    let gone = with(pool, MockPsp::new()).replay_case(case.case_id).await.unwrap();
    assert_eq!(gone.resolution, Some(Resolution::Gone));
    wallets::fold(pool).await.unwrap();
    assert_eq!(run_today(pool, &files).await.counts.found, 0);
}

#[tokio::test]
async fn replay_of_case_without_replay_is_refused() {
    let database = database().await;
    let pool = database.pool();
    paid(pool).await;
    run_today(pool, &Files::default()).await;
    let case = only_case(pool).await;
    assert!(!case.can_replay());
    let refused = with(pool, MockPsp::new()).replay_case(case.case_id).await;
    assert!(matches!(refused, Err(PaymentError::NoReplay)), "{refused:?}");
}
