//! The penalty of a cancellation or no-show is what stays in all: refunds before it count toward what the policy gives
//! back, and only goodwill is given on top.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use rstest::rstest;
use sqlx::PgPool;
use staymesh_domain::ReservationId;
use staymesh_mesh::{Problem, Reason};
use staymesh_psp::{Checkout, CheckoutStatus};
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::relay::{quiet, start};
use crate::{
    clients::reservations::MockReservationClient,
    model::{Booking, Payment, ReservationStatus, Settlement, Status},
    service::Payments,
    testing::{MockPsp, booking, database, eur, gives_back, in_status, now, open, reads, receive_event, service},
};

/// Requests a refund of the payment; what is requested of it in all afterwards, in cents.
async fn ask(
    service: &Payments<MockPsp>,
    payment: &Payment,
    cents: Option<i64>,
    goodwill: bool,
) -> Result<i64, Reason> {
    let refunded = service.refund(payment.payment_id, cents.map(eur), goodwill, Uuid::new_v4()).await;
    refunded.map(|payment| payment.refund_requested.minor()).map_err(|error| Problem::from(error).reason())
}

#[rstest]
#[case::more_than_policy(7_000, false, 7_000)]
#[case::less_than_policy(2_000, false, 5_000)]
#[case::exactly_policy(5_000, false, 5_000)]
#[case::goodwill_is_on_top(2_000, true, 7_000)]
#[case::goodwill_uses_up_penalty(8_000, true, 10_000)]
#[tokio::test]
async fn cancel_after_partial_refund_keeps_penalty(#[case] before: i64, #[case] goodwill: bool, #[case] back: i64) {
    let database = database().await;
    let paid = in_status(database.pool(), Status::Paid).await;
    let service = service(database.pool(), reads(booking()), MockPsp::new());
    assert_eq!(ask(&service, &paid, Some(before), goodwill).await, Ok(before));
    for _ in 0..2 {
        let settled = service.settle_cancellation(paid.reservation_id, gives_back(5_000)).await.unwrap().unwrap();
        assert_eq!((settled.refund_requested, settled.refund_due), (eur(back), Some(eur(5_000))));
    }
}

#[tokio::test]
async fn refund_after_cancellation_needs_goodwill_beyond_policy() {
    let database = database().await;
    let paid = in_status(database.pool(), Status::Paid).await;
    let service = service(database.pool(), reads(booking()), MockPsp::new());
    service.settle_cancellation(paid.reservation_id, gives_back(7_000)).await.unwrap();
    for cents in [Some(1), None] {
        assert_eq!(ask(&service, &paid, cents, false).await, Err(Reason::RefundExceedsPayment), "{cents:?}");
    }
    assert_eq!(ask(&service, &paid, Some(3_001), true).await, Err(Reason::RefundExceedsPayment));
    assert_eq!(ask(&service, &paid, Some(1_000), true).await, Ok(8_000));
    assert_eq!(ask(&service, &paid, None, true).await, Ok(10_000), "the rest of the penalty");
    assert_eq!(ask(&service, &paid, None, true).await, Err(Reason::RefundExceedsPayment));
}

/// A no-show is settled when its report is final; until then only goodwill is refunded, and repeats are answered.
#[tokio::test]
async fn refund_of_an_ended_reservation_waits_for_its_settlement() {
    let database = database().await;
    let paid = in_status(database.pool(), Status::Paid).await;
    let refund = async |status, cents: i64, goodwill, request: u128| {
        let reservations = reads(Booking { status, ..booking() });
        let service = service(database.pool(), reservations, MockPsp::new());
        let asked = service.refund(paid.payment_id, Some(eur(cents)), goodwill, Uuid::from_u128(request)).await;
        asked.map(|payment| payment.refund_requested.minor()).map_err(|error| Problem::from(error).reason())
    };
    let (stands, ended) = (ReservationStatus::Paid, ReservationStatus::Cancelled);
    assert_eq!(refund(stands, 1_000, false, 1).await, Ok(1_000));
    assert_eq!(refund(ended, 1_000, false, 1).await, Ok(1_000), "a repeat");
    assert_eq!(refund(ended, 1_000, false, 2).await, Err(Reason::SettlementPending));
    assert_eq!(refund(ended, 500, true, 3).await, Ok(1_500));
    let settling = service(database.pool(), MockReservationClient::new(), MockPsp::new());
    settling.settle_cancellation(paid.reservation_id, gives_back(4_000)).await.unwrap();
    assert_eq!(refund(ended, 1_000, false, 2).await, Err(Reason::RefundExceedsPayment), "the policy is the limit");
    assert_eq!(now(database.pool(), paid.payment_id).await.refund_requested, eur(4_500));
}

#[tokio::test]
async fn expired_hold_does_not_limit_refunds_of_a_payment_that_revives_it() {
    let database = database().await;
    let paid = in_status(database.pool(), Status::Paid).await;
    let service = service(database.pool(), reads(booking()), MockPsp::new());
    let expired = Settlement { refund: eur(0), hold_expired: true };
    let settled = service.settle_cancellation(paid.reservation_id, expired).await.unwrap().unwrap();
    assert_eq!((settled.refund_requested, settled.refund_due), (eur(0), None));
    assert_eq!(ask(&service, &paid, Some(2_000), false).await, Ok(2_000));
    let settled = service.settle_cancellation(paid.reservation_id, gives_back(5_000)).await.unwrap().unwrap();
    assert_eq!(settled.refund_requested, eur(5_000));
}

#[tokio::test]
async fn refundable_is_what_was_paid_and_is_left_whatever_the_price_is() {
    let database = database().await;
    for status in Status::ALL {
        let left = match status {
            Status::Pending | Status::Failed | Status::Expired => 0,
            Status::Paid => 10_000,
            Status::Refunding | Status::Refunded => 6_000,
        };
        let payment = in_status(database.pool(), status).await;
        assert_eq!((payment.amount, payment.refundable().unwrap()), (eur(10_000), eur(left)), "{status:?}");
    }
}

#[tokio::test]
async fn refund_request_id_is_compared_with_the_whole_request() {
    let database = database().await;
    let paid = in_status(database.pool(), Status::Paid).await;
    let service = service(database.pool(), reads(booking()), MockPsp::new());
    let ask = async |id: u128, cents: Option<i64>, goodwill: bool| {
        let asked = service.refund(paid.payment_id, cents.map(eur), goodwill, Uuid::from_u128(id)).await;
        asked.map(|payment| payment.refund_requested.minor()).map_err(|error| Problem::from(error).reason())
    };
    assert_eq!(ask(1, Some(3_000), false).await, Ok(3_000));
    assert_eq!(ask(1, None, false).await, Err(Reason::RequestIdReused), "all that is left is another request");
    assert_eq!(ask(1, Some(3_000), true).await, Err(Reason::RequestIdReused), "goodwill is another request");
    assert_eq!(ask(1, Some(3_000), false).await, Ok(3_000), "a repeat");
    assert_eq!(ask(2, None, false).await, Ok(10_000));
    assert_eq!(ask(2, Some(7_000), false).await, Err(Reason::RequestIdReused), "the rest is another request");
    assert_eq!(ask(2, None, false).await, Ok(10_000), "a repeat");
}

/// The amount of every payment, in cents.
const AMOUNT: i64 = 10_000;

#[derive(Debug, Clone, Copy)]
enum Step {
    /// The provider reports the payment, early or late.
    Pay,
    /// An administrator refunds so many cents, with or without goodwill.
    Refund(i64, bool),
    /// The hold expires; the rooms are sold again, or a late payment retakes them.
    Expire(bool),
    /// A cancellation or a no-show with this penalty in percent.
    End(i64),
    /// The event of the end is delivered again.
    Repeat,
}

fn any_step() -> impl Strategy<Value = Step> {
    let cents = prop_oneof![1..=AMOUNT, Just(1_000), Just(5_000)];
    prop_oneof![
        3 => Just(Step::Pay),
        4 => (cents, any::<bool>()).prop_map(|(cents, goodwill)| Step::Refund(cents, goodwill)),
        1 => any::<bool>().prop_map(Step::Expire),
        2 => prop_oneof![Just(50), 0..=100_i64].prop_map(Step::End),
        1 => Just(Step::Repeat),
    ]
}

/// The model of a payment, in cents, without the tables.
#[derive(Debug, Default)]
struct Model {
    paid: bool,
    /// Whether the hold expired before the payment, and if so, whether the rooms are sold again.
    expired: Option<bool>,
    /// What the end of the reservation gives back in all.
    due: Option<i64>,
    refunded: i64,
    goodwill: i64,
}

impl Model {
    fn left(&self) -> i64 {
        if self.paid { AMOUNT - self.refunded - self.goodwill } else { 0 }
    }

    /// What the policy leaves to refund.
    fn limit(&self) -> i64 {
        self.due.map_or(self.left(), |due| (due - self.refunded).clamp(0, self.left()))
    }
}

/// A reservation with its payment, and those reservations that have ended for good: a payment for one of them must be
/// refunded.
struct Case<'a> {
    pool: &'a PgPool,
    service: Payments<MockPsp>,
    payment: Payment,
    ended: Arc<Mutex<HashSet<ReservationId>>>,
    model: Model,
}

impl Case<'_> {
    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Pay => {
                receive_event(self.pool, &self.payment, "checkout.paid").await;
                // The reservation service learns of the payment before the reservation ends.
                prop_assert_eq!(quiet(self.pool).await, Vec::<String>::new());
                if !self.model.paid && (self.model.due.is_some() || self.model.expired == Some(true)) {
                    // Nothing was paid when the reservation ended, or its rooms are gone, so there is no penalty:
                    // everything goes back.
                    self.model.refunded = AMOUNT;
                }
                self.model.paid = true;
            }
            Step::Refund(cents, goodwill) => {
                let limit = if goodwill { self.model.left() } else { self.model.limit() };
                let asked = ask(&self.service, &self.payment, Some(cents), goodwill).await;
                prop_assert_eq!(asked.is_ok(), cents <= limit, "{} of {}", cents, limit);
                if asked.is_ok() {
                    *(if goodwill { &mut self.model.goodwill } else { &mut self.model.refunded }) += cents;
                }
            }
            Step::Expire(sold) if !self.model.paid && self.model.due.is_none() && self.model.expired.is_none() => {
                self.model.expired = Some(sold);
                if sold {
                    self.ended.lock().unwrap().insert(self.payment.reservation_id);
                }
                self.expire().await;
            }
            Step::End(penalty) if self.model.due.is_none() => {
                let due = if self.model.paid { AMOUNT - AMOUNT * penalty / 100 } else { AMOUNT };
                self.ended.lock().unwrap().insert(self.payment.reservation_id);
                self.model.due = Some(due);
                self.model.refunded += self.model.limit();
                self.settle(due).await;
            }
            Step::Repeat | Step::End(_) | Step::Expire(_) => {
                if self.model.expired.is_some() {
                    self.expire().await;
                }
                if let Some(due) = self.model.due {
                    self.settle(due).await;
                }
            }
        }
        let payment = now(self.pool, self.payment.payment_id).await;
        prop_assert_eq!(payment.refund_requested, eur(self.model.refunded + self.model.goodwill));
        Ok(())
    }

    async fn settle(&self, due: i64) {
        self.service.settle_cancellation(self.payment.reservation_id, gives_back(due)).await.unwrap();
    }

    async fn expire(&self) {
        let expired = Settlement { refund: eur(0), hold_expired: true };
        self.service.settle_cancellation(self.payment.reservation_id, expired).await.unwrap();
    }

    /// All refunds arrive: penalty and refunds are what was paid, at the provider and for each recipient.
    async fn end(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(quiet(self.pool).await, Vec::<String>::new());
        let payment = now(self.pool, self.payment.payment_id).await;
        let back = self.model.refunded + self.model.goodwill;
        prop_assert_eq!(payment.refunded, eur(back));
        let balance = async |kinds: &str| -> i64 {
            let sum = "select coalesce(sum(e.amount_minor), 0)::bigint from ledger_entry e
                 join ledger_transaction using (transaction_id) join ledger_account a using (account_id)
                 where reservation_id = $1 and a.kind = any(string_to_array($2, ' '))";
            let id = payment.reservation_id.as_uuid();
            sqlx::query_scalar(sum).bind(id).bind(kinds).fetch_one(self.pool).await.unwrap()
        };
        let kept = if self.model.paid { AMOUNT - back } else { 0 };
        prop_assert_eq!(balance("PSP_CLEARING").await, kept);
        prop_assert_eq!(balance("GUEST_RECEIVABLE REFUNDS").await, 0);
        prop_assert_eq!(balance("HOTEL_PAYABLE COMMISSION_REVENUE TAX_PAYABLE").await, -kept);
        if self.model.paid {
            let reversed = payment.split.refund(eur(0), eur(back)).unwrap();
            let commission = payment.split.commission().minor() - reversed.commission().minor();
            prop_assert_eq!(balance("COMMISSION_REVENUE").await, -commission);
            prop_assert_eq!(balance("TAX_PAYABLE").await, reversed.tax().minor() - payment.split.tax().minor());
        }
        if let (Some(due), true) = (self.model.due, self.model.paid) {
            // The penalty stays in all, unless more was given back before or goodwill was given on top.
            let penalty = AMOUNT - due.max(self.model.refunded);
            prop_assert_eq!(kept, penalty.min(AMOUNT - self.model.refunded) - self.model.goodwill.min(penalty));
        }
        Ok(())
    }
}

fn reservations(ended: &Arc<Mutex<HashSet<ReservationId>>>) -> MockReservationClient {
    let (mut reservations, ended) = (MockReservationClient::new(), ended.clone());
    reservations
        .expect_confirm_payment()
        .returning(move |reservation, _, _, _| Ok(ended.lock().unwrap().contains(&reservation)));
    reservations.expect_confirm_refund().returning(|_, _, _| Ok(()));
    reservations
}

fn provider() -> MockPsp {
    let mut psp = MockPsp::new();
    psp.expect_refund().returning(|order| Box::pin(async move { Ok(format!("re_{}", order.refund_id)) }));
    psp.expect_expire_checkout().returning(|session| {
        let closed = Checkout { session, url: String::new(), status: CheckoutStatus::Expired, amount: eur(AMOUNT) };
        Box::pin(async move { Ok(closed) })
    });
    psp
}

#[test]
fn penalty_and_refunds_are_the_amount_paid_after_any_sequence_of_steps() {
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(database());
    let pool = database.pool();
    let ended = Arc::new(Mutex::new(HashSet::new()));
    let relay = {
        let _inside = runtime.enter();
        start(pool, reservations(&ended), provider())
    };
    let config = Config { cases: 64, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(any_step(), 1..16), |steps| {
        runtime.block_on(async {
            let service = service(pool, reads(booking()), provider());
            let payment = open(pool).await;
            let mut case = Case { pool, service, payment, ended: ended.clone(), model: Model::default() };
            for step in steps {
                case.step(step).await?;
            }
            case.end().await
        })
    });
    drop(relay);
    runtime.block_on(async move { drop(database) });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
