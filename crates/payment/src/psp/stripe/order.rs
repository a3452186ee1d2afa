//! What is sent to Stripe. The same order makes the same fields each time: Stripe compares them with those that came
//! before with the idempotency key.

use jiff::{SignedDuration, Timestamp};
use staymesh_domain::PaymentId;
use uuid::Uuid;

use super::amount::to_stripe;
use crate::psp::{CheckoutOrder, PspError};

/// The shortest and the longest time that Stripe lets a session be open, reckoned from when it gets the call, each with
/// a minute for clocks that differ.
const SHORTEST: SignedDuration = SignedDuration::from_mins(30 + 1);
const LONGEST: SignedDuration = SignedDuration::from_mins(24 * 60 - 1);

/// A field of a form.
pub(super) type Field = (&'static str, String);

/// A session for this order, that returns to `return_url` unless the order says otherwise: Stripe needs an address.
pub(super) fn session(order: &CheckoutOrder, return_url: &str) -> Result<Vec<Field>, PspError> {
    let amount = to_stripe(order.amount)?;
    let payment_id = order.payment_id.to_string();
    let return_url = if order.return_url.is_empty() { return_url } else { &order.return_url };
    Ok(vec![
        ("mode", "payment".to_owned()),
        ("client_reference_id", payment_id.clone()),
        ("metadata[payment_id]", payment_id.clone()),
        ("payment_intent_data[metadata][payment_id]", payment_id),
        ("line_items[0][quantity]", "1".to_owned()),
        ("line_items[0][price_data][currency]", order.amount.currency().code().to_ascii_lowercase()),
        ("line_items[0][price_data][unit_amount]", amount.to_string()),
        ("line_items[0][price_data][product_data][name]", order.description.clone()),
        ("success_url", return_url.to_owned()),
        ("cancel_url", return_url.to_owned()),
        ("expires_at", closes(order).as_second().to_string()),
    ])
}

/// When Stripe closes the page, should nobody else. Stripe's shortest time is longer than a hold, so this is only the
/// net below: at the order's own end the service closes the page itself.
///
/// Reckoned from the order and not from now, for a repeat must say the same: the shortest time after the last moment at
/// which the call can be repeated, but not longer than Stripe allows from the first.
fn closes(order: &CheckoutOrder) -> Timestamp {
    let end = order.expire_time.checked_add(SHORTEST).unwrap_or(Timestamp::MAX);
    let opened = order.payment_id.as_uuid().get_timestamp().and_then(|time| i64::try_from(time.to_unix().0).ok());
    let latest = opened
        .and_then(|second| Timestamp::from_second(second).ok())
        .and_then(|opened| opened.checked_add(LONGEST).ok());
    latest.map_or(end, |latest| end.min(latest))
}

/// A refund of so many of Stripe's units.
pub(super) fn refund(intent: &str, amount: i64, refund_id: Uuid, payment_id: Option<PaymentId>) -> Vec<Field> {
    let mut fields = vec![
        ("payment_intent", intent.to_owned()),
        ("amount", amount.to_string()),
        ("metadata[refund_id]", refund_id.to_string()),
    ];
    fields.extend(payment_id.map(|id| ("metadata[payment_id]", id.to_string())));
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::eur;

    fn order(life: SignedDuration) -> CheckoutOrder {
        CheckoutOrder {
            payment_id: PaymentId::new(),
            amount: eur(1),
            description: "Reservation".into(),
            return_url: String::new(),
            expire_time: Timestamp::now() + life,
        }
    }

    #[test]
    fn a_hold_that_is_longer_than_stripe_allows_is_cut() {
        let order = order(SignedDuration::from_hours(72));
        let life = closes(&order).duration_since(Timestamp::now());
        assert!(life <= SignedDuration::from_hours(24) && life > SignedDuration::from_hours(23), "{life:?}");
    }

    proptest! {
        #[test]
        fn whenever_the_call_is_repeated_stripe_takes_the_time(hold in 1..82_000_i64, share in 0.0..1.0_f64) {
            let order = order(SignedDuration::from_secs(hold));
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any second in the hold")]
            let called = Timestamp::now() + SignedDuration::from_secs((hold as f64 * share) as i64);
            let open = closes(&order).duration_since(called);
            prop_assert!(open > SignedDuration::from_mins(30) && open < SignedDuration::from_hours(24), "{open:?}");
            prop_assert_eq!(closes(&order), closes(&order.clone()));
        }
    }
}
