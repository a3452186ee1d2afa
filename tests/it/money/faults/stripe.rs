//! The fault matrix with Stripe as the provider: the payment service is killed immediately before and after each call.
//! Idempotency keys and list queries ensure one checkout page, one charge, one refund and one transfer.

use std::time::Instant;

use serde_json::json;
use staymesh_devenv::Signal;
use staymesh_mesh::fault::Step;

use super::{
    assert_clean,
    outcome::{self, Outcome},
    payout, restart, restart_after_death,
    scenario::UNHEARD,
    shop::{PRICE, Sale, Shop, settings},
};
use crate::support::{PrivateMesh, Stripe, operate};

/// Lifetime of a checkout page that is never paid; long enough to open it on a busy machine.
const SHORT_HOLD: &str = "12s";
const TAKEN: &[&str] = &["checkout.session.completed"];

/// The scenarios that reach the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scenario {
    /// The guest pays.
    Paid,
    /// The guest cancels before paying.
    Left,
    /// The checkout page expires unpaid.
    Overdue,
    /// The guest pays and cancels.
    Cancelled,
    /// The hotel is paid.
    PaidOut,
}

/// The steps that are calls to the provider, and the write right after the first, before which its answer is lost.
fn scenario_through(step: Step) -> Option<Scenario> {
    match step.0 {
        "pay_in.order_saved" | "pay_in.page_opened" | "pay_in.page_saved" | "pay_in.event_taken" => {
            Some(Scenario::Paid)
        }
        "pay_in.page_closed" => Some(Scenario::Left),
        "pay_in.overdue_closed" => Some(Scenario::Overdue),
        "refund.paid_back" | "refund.saved" => Some(Scenario::Cancelled),
        "payout.transferred" | "payout.saved" => Some(Scenario::PaidOut),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_at_any_stripe_call_leaves_one_charge_and_one_final_state() {
    let mesh = PrivateMesh::start(settings()).await;
    let mut shop = Shop::on(&mesh).await;
    let stripe = Stripe::start(&mesh).await;
    let steps = [
        staymesh_payment::fault_points::OVERDUE,
        staymesh_payment::fault_points::ALL,
        // Last, because each of these creates another hotel.
        staymesh_payment::fault_points::PAYOUT,
    ];
    let mut covered = 0;
    for step in steps.concat() {
        let Some(scenario) = scenario_through(step) else { continue };
        let [before, after] = step.points();
        for (point, done) in [(before, false), (after, true)] {
            // An object created before the crash is found by its idempotency key, or by listing once the key has expired.
            let later = matches!(scenario, Scenario::Cancelled | Scenario::PaidOut) && done;
            for forgets in [false, true].into_iter().take(1 + usize::from(later)) {
                die_at(&mut shop, &stripe, scenario, &point, forgets).await;
                covered += 1;
            }
        }
    }
    assert_eq!(covered, 2 * 10 + 4, "every step has its scenario");
    assert_clean(&shop).await;
}

/// Runs a scenario in which the payment service is killed at this crash point and restarted, optionally a day later.
async fn die_at(shop: &mut Shop<'_>, stripe: &Stripe, scenario: Scenario, point: &str, forgets: bool) {
    let started = Instant::now();
    let overdue = scenario == Scenario::Overdue;
    let hold: &[(&str, &str)] = if overdue { &[("STAYMESH_HOLD", SHORT_HOLD)] } else { &[] };
    let own = [&stripe.settings()[..], if overdue { &UNHEARD } else { &[] }].concat();
    operate(shop.mesh(), |local| {
        restart(local, "reservation", hold)?;
        restart(local, "payment", &own)
    });
    if scenario == Scenario::PaidOut {
        payout::open_an_account(shop).await;
        let sale = live(shop, stripe, Scenario::Paid).await;
        assert_ended(shop, stripe, Scenario::Paid, &sale, point).await;
    }
    operate(shop.mesh(), |local| restart(local, "payment", &[&own[..], &[("STAYMESH_FAULT", point)]].concat()));
    let shop = &*shop;
    let revive = async {
        super::await_death(shop, "payment", point).await;
        if forgets {
            stripe.forget_keys();
        }
        if overdue {
            operate(shop.mesh(), |local| local.service("reservation")?.signal(Signal::CONT));
        }
        restart_after_death(shop, "payment", point, &own).await;
    };
    if scenario == Scenario::PaidOut {
        assert_eq!(payout::job(shop, ""), None, "{point}");
        revive.await;
        assert_paid_once(shop, stripe, point).await;
    } else {
        let (sale, ()) = tokio::join!(live(shop, stripe, scenario), revive);
        assert_ended(shop, stripe, scenario, &sale, point).await;
    }
    println!("{point}: {scenario:?} with Stripe, keys forgotten: {forgets}, in {} ms", started.elapsed().as_millis());
}

/// Performs the actions of the guest.
async fn live(shop: &Shop<'_>, stripe: &Stripe, scenario: Scenario) -> Sale {
    let sale = shop.open(&shop.book().await, "").await;
    if scenario == Scenario::Overdue {
        // The page expires shortly before the hold, so that expiry of the hold does not close the page first.
        operate(shop.mesh(), |local| local.service("reservation")?.signal(Signal::STOP));
    }
    if matches!(scenario, Scenario::Paid | Scenario::Cancelled) {
        let session = shop.provider.row(&sale.payment).await.psp_session.expect("a session");
        stripe.pay(&session).await;
        shop.await_state(&sale, "PAID", "paid").await;
    }
    if matches!(scenario, Scenario::Left | Scenario::Cancelled) {
        shop.cancel(&sale).await;
    }
    sale
}

/// Waits for the expected outcome, and asserts that it is final, in the mesh and at Stripe.
async fn assert_ended(shop: &Shop<'_>, stripe: &Stripe, scenario: Scenario, sale: &Sale, what: &str) {
    let (payment, events, history): (_, _, &[&str]) = match scenario {
        Scenario::Paid | Scenario::PaidOut => ("PAID", TAKEN, &["pending_payment", "paid"]),
        Scenario::Left | Scenario::Overdue => ("EXPIRED", &[][..], &["pending_payment", "cancelled"]),
        Scenario::Cancelled => ("REFUNDED", TAKEN, &["pending_payment", "paid", "cancelled", "refunded"]),
    };
    let end = Outcome { payment, events, history };
    outcome::assert_books_are(shop, sale, &end, what).await;
    let id = sale.payment_id();
    let [session] = &stripe.sessions(id)[..] else { panic!("{what}: {:?}", stripe.sessions(id)) };
    let status = if end.charged() { ("complete", "paid") } else { ("expired", "unpaid") };
    assert_eq!((session["status"].as_str(), session["payment_status"].as_str()), (Some(status.0), Some(status.1)));
    let amounts =
        |made: Vec<serde_json::Value>| made.iter().filter_map(|made| made["amount"].as_i64()).collect::<Vec<_>>();
    assert_eq!(amounts(stripe.intents(id)), vec![PRICE; usize::from(end.charged())], "{what}");
    assert_eq!(amounts(stripe.refunds(id)), vec![PRICE; usize::from(end.refunded())], "{what}");
}

async fn assert_paid_once(shop: &Shop<'_>, stripe: &Stripe, what: &str) {
    for _ in 0..2 {
        let id = payout::assert_books_paid_once(shop, what).await;
        let made = stripe.transfers(&id);
        let [transfer] = &made[..] else { panic!("{what}: {made:?}") };
        assert_eq!((&transfer["amount"], &transfer["destination"]), (&json!(payout::OWED), &json!("acct_hotel")));
        // Nothing is payable.
        assert_eq!(payout::job(shop, ""), None, "{what}");
    }
}
