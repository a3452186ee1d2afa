//! The same with Stripe as the provider: the payment service dies right before and right after each call to it. Its keys
//! and the lists of what it has made see to it that there is one page, one charge, one refund and one transfer.

use std::time::Instant;

use serde_json::json;
use staymesh_devenv::Signal;
use staymesh_mesh::fault::Step;

use super::{
    assert_clean, come_back,
    end::{self, End},
    pay_out, restart,
    shop::{PRICE, Sale, Shop, settings},
    story::UNHEARD,
};
use crate::support::{OwnMesh, Stripe, operate};

/// For the page that nobody pays on in time; long enough to open it in on a busy machine.
const SHORT_HOLD: &str = "12s";
const TAKEN: &[&str] = &["checkout.session.completed"];

/// What leads through the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// The guest pays.
    Paid,
    /// The guest cancels before paying.
    Left,
    /// Nobody does anything.
    Overdue,
    /// The guest pays and cancels.
    Cancelled,
    /// The hotel is paid.
    PaidOut,
}

/// The steps that are calls to the provider, and the write right after the first, before which its answer is lost.
fn story_through(step: Step) -> Option<Story> {
    match step.0 {
        "pay_in.order_saved" | "pay_in.page_opened" | "pay_in.page_saved" | "pay_in.event_taken" => Some(Story::Paid),
        "pay_in.page_closed" => Some(Story::Left),
        "pay_in.overdue_closed" => Some(Story::Overdue),
        "refund.paid_back" | "refund.saved" => Some(Story::Cancelled),
        "pay_out.transferred" | "pay_out.saved" => Some(Story::PaidOut),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_whatever_call_to_stripe_the_service_dies_there_is_one_charge_and_one_end() {
    let mesh = OwnMesh::start(settings()).await;
    let mut shop = Shop::on(&mesh).await;
    let stripe = Stripe::start(&mesh).await;
    let steps = [
        staymesh_payment::fault_points::OVERDUE,
        staymesh_payment::fault_points::ALL,
        // Last, for each of these is another hotel with a few rooms.
        staymesh_payment::fault_points::PAYOUT,
    ];
    let mut told = 0;
    for step in steps.concat() {
        let Some(story) = story_through(step) else { continue };
        let [before, after] = step.points();
        for (point, done) in [(before, false), (after, true)] {
            // What was made before is found by its key, or in the lists once the key is forgotten.
            let later = matches!(story, Story::Cancelled | Story::PaidOut) && done;
            for forgets in [false, true].into_iter().take(1 + usize::from(later)) {
                die_at(&mut shop, &stripe, story, &point, forgets).await;
                told += 1;
            }
        }
    }
    assert_eq!(told, 2 * 10 + 4, "every step has its story");
    assert_clean(&shop).await;
}

/// Lives through a story in which the payment service dies at this point and comes back, perhaps a day later.
async fn die_at(shop: &mut Shop<'_>, stripe: &Stripe, story: Story, point: &str, forgets: bool) {
    let started = Instant::now();
    let overdue = story == Story::Overdue;
    let hold: &[(&str, &str)] = if overdue { &[("STAYMESH_HOLD", SHORT_HOLD)] } else { &[] };
    let own = [&stripe.settings()[..], if overdue { &UNHEARD } else { &[] }].concat();
    operate(shop.mesh(), |local| {
        restart(local, "reservation", hold)?;
        restart(local, "payment", &own)
    });
    if story == Story::PaidOut {
        pay_out::open_an_account(shop).await;
        let sale = live(shop, stripe, Story::Paid).await;
        assert_ended(shop, stripe, Story::Paid, &sale, point).await;
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
        come_back(shop, "payment", point, &own).await;
    };
    if story == Story::PaidOut {
        assert_eq!(pay_out::job(shop, ""), None, "{point}");
        revive.await;
        assert_paid_once(shop, stripe, point).await;
    } else {
        let (sale, ()) = tokio::join!(live(shop, stripe, story), revive);
        assert_ended(shop, stripe, story, &sale, point).await;
    }
    println!("{point}: {story:?} with Stripe, keys forgotten: {forgets}, in {} ms", started.elapsed().as_millis());
}

/// Goes through it as far as people do something.
async fn live(shop: &Shop<'_>, stripe: &Stripe, story: Story) -> Sale {
    let sale = shop.open(&shop.book().await, "").await;
    if story == Story::Overdue {
        // The page is overdue before the hold is, but not by much: nobody ends the hold and closes the page with it.
        operate(shop.mesh(), |local| local.service("reservation")?.signal(Signal::STOP));
    }
    if matches!(story, Story::Paid | Story::Cancelled) {
        let session = shop.provider.row(&sale.payment).await.psp_session.expect("a session");
        stripe.pay(&session).await;
        shop.await_state(&sale, "PAID", "paid").await;
    }
    if matches!(story, Story::Left | Story::Cancelled) {
        shop.cancel(&sale).await;
    }
    sale
}

/// Waits for the end, and sees that it is the only one, here as at Stripe.
async fn assert_ended(shop: &Shop<'_>, stripe: &Stripe, story: Story, sale: &Sale, what: &str) {
    let (payment, events, history): (_, _, &[&str]) = match story {
        Story::Paid | Story::PaidOut => ("PAID", TAKEN, &["pending_payment", "paid"]),
        Story::Left | Story::Overdue => ("EXPIRED", &[][..], &["pending_payment", "cancelled"]),
        Story::Cancelled => ("REFUNDED", TAKEN, &["pending_payment", "paid", "cancelled", "refunded"]),
    };
    let end = End { payment, events, history };
    end::assert_books_are(shop, sale, &end, what).await;
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
        let id = pay_out::assert_books_paid_once(shop, what).await;
        let made = stripe.transfers(&id);
        let [transfer] = &made[..] else { panic!("{what}: {made:?}") };
        assert_eq!((&transfer["amount"], &transfer["destination"]), (&json!(pay_out::OWED), &json!("acct_hotel")));
        // Nothing is left to pay.
        assert_eq!(pay_out::job(shop, ""), None, "{what}");
    }
}
