//! The form fields of requests to Stripe. An order always yields the same fields: Stripe rejects an idempotency key that is
//! reused with other content.

use jiff::{SignedDuration, Timestamp};
use staymesh_domain::PaymentId;
use uuid::Uuid;

use super::amount::to_stripe;
use crate::{CheckoutOrder, PspError};

/// The minimum and maximum lifetime of a session, 30 minutes and 24 hours from when Stripe receives the call, each with
/// a minute for clock skew.
const MIN_LIFE: SignedDuration = SignedDuration::from_mins(30 + 1);
const MAX_LIFE: SignedDuration = SignedDuration::from_mins(24 * 60 - 1);

/// A field of a form.
pub(super) type Field = (&'static str, String);

/// The fields of a session for this order. `return_url` is used if the order has none: Stripe requires one.
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
        ("expires_at", expires_at(order)?.as_second().to_string()),
    ])
}

/// When Stripe closes the page by itself. It is the fallback: the payment service closes the page at the order's expire
/// time, which Stripe's minimum lifetime does not allow.
///
/// Computed from the order and not from the current time, because a retry must be equal to the first call: the minimum
/// lifetime after the order's expire time, the last moment at which the call is retried, but within the maximum lifetime
/// after the payment was created.
fn expires_at(order: &CheckoutOrder) -> Result<Timestamp, PspError> {
    let invalid = || PspError::Refused("expire_time_out_of_range".to_owned());
    let end = order.expire_time.checked_add(MIN_LIFE).map_err(|_| invalid())?;
    // Payment ids are UUIDv7. One without a time has no creation time to bound by.
    let Some(created) = order.payment_id.as_uuid().get_timestamp() else { return Ok(end) };
    let created = i64::try_from(created.to_unix().0).map_err(|_| invalid())?;
    let latest = Timestamp::from_second(created).and_then(|created| created.checked_add(MAX_LIFE));
    Ok(end.min(latest.map_err(|_| invalid())?))
}

/// The fields of a refund of `amount` units of Stripe.
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
    fn expires_at_is_within_the_maximum_lifetime() {
        let order = order(SignedDuration::from_hours(72));
        let life = expires_at(&order).unwrap().duration_since(Timestamp::now());
        assert!(life <= SignedDuration::from_hours(24) && life > SignedDuration::from_hours(23), "{life:?}");
    }

    proptest! {
        #[test]
        fn expires_at_is_valid_at_every_retry(hold in 1..82_000_i64, share in 0.0..1.0_f64) {
            let order = order(SignedDuration::from_secs(hold));
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "any second in the hold")]
            let called = Timestamp::now() + SignedDuration::from_secs((hold as f64 * share) as i64);
            let open = expires_at(&order).unwrap().duration_since(called);
            prop_assert!(open > SignedDuration::from_mins(30) && open < SignedDuration::from_hours(24), "{open:?}");
            prop_assert_eq!(expires_at(&order), expires_at(&order.clone()));
        }
    }
}
