//! Property test over arbitrary sequences of sales, refunds, runs of the job and provider events: payouts plus the amount
//! due equal what the hotel has earned, and no payout is paid twice.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicI32, Ordering},
};

use jiff::civil::{Date, date};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::json;
use sqlx::PgPool;
use staymesh_psp::Provider;
use tokio::runtime::Runtime;
use uuid::Uuid;

use super::{Found, Options, everything, hotel, make_payouts, owed, refund, send_to, sold_at};
use crate::{
    clients::reservations::MockReservationClient,
    model::Payment,
    testing::{MockPsp, database, eur, service},
};

#[derive(Debug, Clone)]
enum Step {
    /// Total in cents, taxes in percent, day of the check-out.
    Sell(i64, i64, i8),
    /// Which sale, percent of the amount not refunded yet.
    Refund(prop::sample::Index, i64),
    /// Cutoff day, whether failed transfers are retried.
    Run(i8, bool),
    /// Which transfer the provider sends an event of, whether it was paid, whether the event is sent twice.
    Event(prop::sample::Index, bool, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (1..50_000_i64, 0..30_i64, 1..28_i8).prop_map(|(total, tax, day)| Step::Sell(total, tax, day)),
        3 => (index(), 1..=100_i64).prop_map(|(sale, percent)| Step::Refund(sale, percent)),
        3 => (1..31_i8, any::<bool>()).prop_map(|(until, retry)| Step::Run(until, retry)),
        3 => (index(), any::<bool>(), any::<bool>()).prop_map(|(which, paid, twice)| Step::Event(which, paid, twice)),
    ]
}

/// The model: a hotel of its own for each case, with state computed without the payout tables.
struct Case<'a> {
    pool: &'a PgPool,
    hotel_id: i32,
    sales: Vec<(Payment, i64)>,
    /// The earnings of the hotel in cents, by the splits of sales and refunds.
    earned: i64,
    /// Paid payouts with their amounts in cents.
    moved: HashMap<Uuid, i64>,
}

fn day(day: i8) -> Date {
    date(2030, 1, day)
}

impl Case<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Sell(total, tax, check_out) => {
                let payment = sold_at(self.pool, self.hotel_id, eur(*total), total * tax / 100, day(*check_out)).await;
                self.earned += payment.split.hotel().minor();
                self.sales.push((payment, 0));
            }
            Step::Refund(which, percent) if !self.sales.is_empty() => {
                let (payment, before) = which.get(&self.sales).clone();
                let amount = ((payment.amount.minor() - before) * percent / 100).max(1);
                if before + amount > payment.amount.minor() {
                    return Ok(());
                }
                refund(self.pool, &payment, eur(amount)).await;
                self.earned -= payment.split.refund(eur(before), eur(amount)).unwrap().hotel().minor();
                let place = self.sales.iter().position(|(sale, _)| *sale == payment).unwrap();
                self.sales[place].1 += amount;
            }
            Step::Refund(..) => {}
            Step::Run(until, retry_failed) => {
                self.run(day(*until), *retry_failed).await;
            }
            Step::Event(which, paid, twice) => {
                let transfers: Vec<(Uuid, Uuid, i64, String)> = sqlx::query_as(
                    "select transfer_id, payout_id, amount_minor, status
                     from pay_out_transfer join pay_out using (payout_id) where hotel_id = $1 order by transfer_id",
                )
                .bind(self.hotel_id)
                .fetch_all(self.pool)
                .await
                .unwrap();
                if transfers.is_empty() {
                    return Ok(());
                }
                let (transfer_id, payout_id, amount, status) = which.get(&transfers);
                for _ in 0..=u8::from(*twice) {
                    self.send_event(*transfer_id, *amount, *paid).await;
                }
                if *paid && status == "REQUESTED" {
                    prop_assert_eq!(self.moved.insert(*payout_id, *amount), None, "paid twice");
                }
            }
        }
        self.check().await
    }

    async fn run(&self, until: Date, retry_failed: bool) -> Vec<Found> {
        let hotel = Some(hotel(self.hotel_id));
        make_payouts(self.pool, &Options { until, hotel, retry_failed, ..everything() }).await
    }

    async fn send_event(&self, transfer_id: Uuid, amount: i64, paid: bool) {
        let kind = if paid { "transfer.paid" } else { "transfer.failed" };
        let event = json!({ "id": Uuid::new_v4().to_string(), "type": kind, "data": {
            "transfer": "tr", "reference": transfer_id, "amount_minor": amount, "currency": "EUR",
        }});
        let service = service(self.pool, MockReservationClient::new(), MockPsp::new());
        service.receive(Provider::Simulator, event.to_string().as_bytes()).await.unwrap();
    }

    async fn check(&self) -> Result<(), TestCaseError> {
        let moved: i64 = self.moved.values().sum();
        prop_assert_eq!(owed(self.pool, self.hotel_id).await, i128::from(self.earned - moved));
        let (settled, due): (i64, i64) = sqlx::query_as(
            "select (select coalesce(sum(amount_minor), 0)::bigint from pay_out where hotel_id = $1),
                 (select coalesce(-sum(e.amount_minor), 0)::bigint
                  from ledger_entry e join ledger_account using (account_id)
                  join ledger_transaction t using (transaction_id)
                  where ledger_account.kind = 'HOTEL_PAYABLE' and hotel_id = $1 and reservation_id is not null
                      and not exists (select from pay_out_line l
                                      where l.transaction_id = e.transaction_id and l.line = e.line))",
        )
        .bind(self.hotel_id)
        .fetch_one(self.pool)
        .await
        .unwrap();
        prop_assert_eq!(settled + due, self.earned, "settled and due amounts sum to the earnings");
        Ok(())
    }

    /// All stays end and the provider pays every transfer: no positive balance remains.
    async fn end(&mut self) -> Result<(), TestCaseError> {
        self.run(day(31), true).await;
        let open: Vec<(Uuid, Uuid, i64)> = sqlx::query_as(
            "select transfer_id, payout_id, amount_minor from pay_out_transfer join pay_out using (payout_id)
             where hotel_id = $1 and status = 'REQUESTED'",
        )
        .bind(self.hotel_id)
        .fetch_all(self.pool)
        .await
        .unwrap();
        for (transfer_id, payout_id, amount) in open {
            self.send_event(transfer_id, amount, true).await;
            prop_assert_eq!(self.moved.insert(payout_id, amount), None, "paid twice");
        }
        self.check().await?;
        let left = owed(self.pool, self.hotel_id).await;
        prop_assert!(left <= 0, "{left} was never paid");
        let carried = self.run(day(31), true).await;
        match i64::try_from(left).unwrap() {
            0 => prop_assert_eq!(carried, []),
            left => prop_assert_eq!(carried, [Found::Carried { hotel_id: hotel(self.hotel_id), amount: eur(left) }]),
        }
        Ok(())
    }
}

#[test]
fn hotel_is_paid_its_earnings_once_after_any_sequence_of_steps() {
    let runtime = Runtime::new().unwrap();
    let database = runtime.block_on(database());
    let hotels = AtomicI32::new(1);
    let steps = prop::collection::vec(any_step(), 1..40);
    let outcome =
        TestRunner::new(Config { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..Config::default() })
            .run(&steps, |steps| {
                runtime.block_on(async {
                    let hotel_id = hotels.fetch_add(1, Ordering::Relaxed);
                    let pool = database.pool();
                    send_to(pool, hotel_id, "acct").await;
                    let (sales, moved) = (Vec::new(), HashMap::new());
                    let mut case = Case { pool, hotel_id, sales, earned: 0, moved };
                    for step in &steps {
                        case.step(step).await?;
                    }
                    case.end().await
                })
            });
    runtime.block_on(async move { drop(database) });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
