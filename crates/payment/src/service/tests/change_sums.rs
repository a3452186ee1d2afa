//! Whatever changes, refunds and goodwill came before: a cancellation keeps the penalty in all payments together.

use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use sqlx::PgPool;
use staymesh_domain::ReservationId;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::changes::{applied, assert_clean, dropped, paid, settling};
use crate::{
    service::Payments,
    store::payments,
    testing::{MockPsp, database, eur, gives_back, reservation_id},
};

#[derive(Debug, Clone, Copy)]
enum Step {
    /// A change with this difference is paid and applied.
    Charge(i64),
    /// A change is paid, and dropped before that is known.
    ChargeDropped(i64),
    /// A change gives so much back.
    GiveBack(i64),
    /// An administrator refunds so much of one payment, with or without goodwill.
    Refund(prop::sample::Index, i64, bool),
    /// The last message of a change is delivered again.
    Repeat,
    /// The reservation ends, and its policy gives back this share of what was paid, in percent.
    End(i64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let cents = || prop_oneof![1..=20_000_i64, Just(10_000)];
    prop_oneof![
        3 => cents().prop_map(Step::Charge),
        1 => cents().prop_map(Step::ChargeDropped),
        3 => (0..=20_000_i64).prop_map(Step::GiveBack),
        2 => (any::<prop::sample::Index>(), cents(), any::<bool>()).prop_map(|(at, cents, good)| Step::Refund(at, cents, good)),
        1 => Just(Step::Repeat),
        1 => (0..=100_i64).prop_map(Step::End),
    ]
}

/// The sums of a reservation in cents.
#[derive(Debug, Default)]
struct Model {
    /// Paid in payments that pay for it.
    paid: i64,
    /// Paid for changes that were dropped.
    lost: i64,
    /// Refunds of changes, goodwill, and those that count toward the policy.
    changed: i64,
    goodwill: i64,
    counted: i64,
    due: Option<i64>,
}

impl Model {
    fn left(&self) -> i64 {
        self.paid - self.changed - self.goodwill - self.counted
    }
}

struct Case<'a> {
    pool: &'a PgPool,
    service: Payments<MockPsp>,
    id: ReservationId,
    revision: i32,
    last: i64,
    model: Model,
}

impl Case<'_> {
    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Charge(_) | Step::ChargeDropped(_) | Step::GiveBack(_) if self.model.due.is_some() => {}
            Step::Charge(cents) => {
                self.revision += 1;
                paid(self.pool, self.id, self.revision, cents).await;
                self.settle(0).await;
                self.model.paid += cents;
            }
            Step::ChargeDropped(cents) => {
                self.revision += 1;
                paid(self.pool, self.id, self.revision, cents).await;
                self.service.settle_change(self.id, &dropped(self.revision)).await.unwrap();
                self.model.lost += cents;
                self.last = -1;
            }
            Step::GiveBack(cents) => {
                self.revision += 1;
                self.settle(cents).await;
                self.model.changed += cents.min(self.model.left());
            }
            Step::Refund(at, cents, goodwill) => self.refund(at, cents, goodwill).await?,
            Step::Repeat if self.revision > 1 && self.last >= 0 => self.settle(self.last).await,
            Step::Repeat => {}
            Step::End(percent) => {
                let due = *self.model.due.get_or_insert((self.model.paid - self.model.changed) * percent / 100);
                self.service.settle_cancellation(self.id, gives_back(due)).await.unwrap();
                self.model.counted += (due - self.model.counted).clamp(0, self.model.left());
            }
        }
        let payments = payments::of_reservation(self.pool, self.id).await.unwrap();
        let requested: i64 = payments.iter().map(|payment| payment.refund_requested.minor()).sum();
        let model = &self.model;
        prop_assert_eq!(requested, model.changed + model.goodwill + model.counted + model.lost, "{:?}", model);
        prop_assert!(payments.iter().all(|payment| payment.refund_requested.minor() <= payment.amount.minor()));
        Ok(())
    }

    async fn settle(&mut self, cents: i64) {
        self.service.settle_change(self.id, &applied(self.revision, cents)).await.unwrap();
        self.last = cents;
    }

    async fn refund(&mut self, at: prop::sample::Index, cents: i64, goodwill: bool) -> Result<(), TestCaseError> {
        let payments = payments::of_reservation(self.pool, self.id).await.unwrap();
        let payment = &payments[at.index(payments.len())];
        let left = payment.refundable().unwrap().minor();
        let limit = match self.model.due {
            Some(due) if !goodwill => left.min((due - self.model.counted).max(0)),
            _ => left,
        };
        let asked = self.service.refund(payment.payment_id, Some(eur(cents)), goodwill, Uuid::now_v7()).await;
        prop_assert_eq!(asked.is_ok(), cents <= limit, "{} of {}", cents, limit);
        if asked.is_ok() {
            *(if goodwill { &mut self.model.goodwill } else { &mut self.model.counted }) += cents;
        }
        Ok(())
    }

    /// What is kept of all payments is the penalty, less goodwill, unless more was given back before the end.
    fn end(&self) -> Result<(), TestCaseError> {
        let model = &self.model;
        if let Some(due) = model.due {
            let penalty = model.paid - model.changed - due.max(model.counted);
            prop_assert_eq!(model.left(), (penalty - model.goodwill).max(0), "{:?}", model);
        }
        Ok(())
    }
}

#[test]
fn penalty_and_refunds_of_all_payments_are_what_was_paid_after_any_changes() {
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(database());
    let pool = database.pool();
    let config = Config { cases: 48, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(any_step(), 1..14), |steps| {
        runtime.block_on(async {
            let (service, id) = (settling(pool), reservation_id());
            paid(pool, id, 1, 35_200).await;
            let model = Model { paid: 35_200, ..Model::default() };
            let mut case = Case { pool, service, id, revision: 1, last: 0, model };
            for step in steps {
                case.step(step).await?;
            }
            case.end()
        })
    });
    runtime.block_on(assert_clean(pool));
    runtime.block_on(async move { drop(database) });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
