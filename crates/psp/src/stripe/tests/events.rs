use jiff::Timestamp;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};
use staymesh_domain::PaymentId;
use uuid::Uuid;

use super::shapes::{INTENT, REFUND, SESSION, charge, ended, event, intent, refund, session};
use crate::{
    CheckoutStatus, Provider,
    event::{EventEnvelope, PaymentReference, ProviderEvent, RefundData},
    signature::{SignatureError, verify},
    testing::eur,
};

fn parsed(kind: &str, object: &Value) -> Result<ProviderEvent, &'static str> {
    let event = EventEnvelope::parse(event("evt_1", kind, object).to_string().as_bytes()).unwrap();
    assert_eq!((event.id.as_str(), event.kind.as_str()), ("evt_1", kind));
    Provider::Stripe.parse_event(&event)
}

#[rstest]
#[case::paid("completed", "complete", "paid", Some(CheckoutStatus::Paid))]
#[case::on_its_way("completed", "complete", "unpaid", Some(CheckoutStatus::InReview))]
#[case::arrived("async_payment_succeeded", "complete", "paid", Some(CheckoutStatus::Paid))]
#[case::bounced("async_payment_failed", "complete", "unpaid", Some(CheckoutStatus::Failed))]
#[case::expired("expired", "expired", "unpaid", Some(CheckoutStatus::Expired))]
#[case::nothing_to_pay("completed", "complete", "no_payment_required", None)]
#[case::arrived_without_money("async_payment_succeeded", "complete", "unpaid", None)]
#[case::failed_with_money("async_payment_failed", "complete", "paid", None)]
#[case::expired_with_money("expired", "expired", "paid", None)]
fn session_event_yields_checkout_status_or_unexpected(
    #[case] kind: &str,
    #[case] status: &str,
    #[case] payment_status: &str,
    #[case] expected: Option<CheckoutStatus>,
) {
    let id = PaymentId::new().to_string();
    let object = ended(&id, status, payment_status, json!(INTENT));
    match (parsed(&format!("checkout.session.{kind}"), &object).unwrap(), expected) {
        (ProviderEvent::Checkout(data, status), Some(expected)) => {
            assert_eq!(status, expected);
            assert_eq!((data.session.as_str(), data.reference), (SESSION, id));
            assert_eq!((data.amount_minor, data.currency.as_str()), (12_050, "EUR"));
        }
        (ProviderEvent::Unexpected(payment), None) => {
            assert_eq!(payment, PaymentReference { session: Some(SESSION.into()), reference: id });
        }
        (event, _) => panic!("{event:?}"),
    }
}

#[test]
fn failed_payment_intent_is_declined_or_ignored() {
    let id = PaymentId::new().to_string();
    let failed = |object| parsed("payment_intent.payment_failed", &object).unwrap();
    let ours = failed(intent(&id, "requires_payment_method"));
    assert_eq!(ours, ProviderEvent::Declined(PaymentReference { session: None, reference: id }));
    assert_eq!(failed(intent("foreign", "requires_payment_method")), ProviderEvent::Ignored);
    assert_eq!(failed(json!({ "id": INTENT, "object": "payment_intent" })), ProviderEvent::Ignored);
}

#[test]
fn session_event_amount_is_converted_from_stripe_units() {
    let mut object = ended(&PaymentId::new().to_string(), "complete", "paid", json!(INTENT));
    object["currency"] = json!("isk");
    object["amount_total"] = json!(500);
    let ProviderEvent::Checkout(data, _) = parsed("checkout.session.completed", &object).unwrap() else { panic!() };
    assert_eq!((data.amount_minor, data.currency.as_str()), (5, "ISK"));
    object["amount_total"] = json!(550);
    assert!(matches!(parsed("checkout.session.completed", &object), Ok(ProviderEvent::Unexpected(_))));
}

#[rstest]
#[case("created", "succeeded", true)]
#[case("updated", "succeeded", true)]
#[case("created", "pending", false)]
#[case("updated", "requires_action", false)]
fn refund_event_counts_only_when_succeeded(#[case] kind: &str, #[case] status: &str, #[case] counts: bool) {
    let (payment, id) = (PaymentId::new().to_string(), Uuid::now_v7());
    let data = RefundData { id: REFUND.into(), amount_minor: 4_000, reference: Some(id) };
    let reference = PaymentReference { session: None, reference: payment.clone() };
    let expected = if counts { ProviderEvent::RefundSucceeded(reference, data) } else { ProviderEvent::Ignored };
    assert_eq!(parsed(&format!("refund.{kind}"), &refund(&payment, &id.to_string(), 4_000, status)), Ok(expected));
}

#[test]
fn failed_refund_event_is_unexpected() {
    let payment = PaymentId::new().to_string();
    for (kind, status) in [("refund.failed", "failed"), ("refund.updated", "failed"), ("refund.updated", "canceled")] {
        let event = parsed(kind, &refund(&payment, "", 4_000, status)).unwrap();
        assert_eq!(
            event,
            ProviderEvent::Unexpected(PaymentReference { session: None, reference: payment.clone() }),
            "{kind}"
        );
    }
}

#[test]
fn charge_event_yields_the_total_refunded() {
    let payment = PaymentId::new().to_string();
    let reference = PaymentReference { session: None, reference: payment.clone() };
    assert_eq!(parsed("charge.refunded", &charge(&payment, 4_000)), Ok(ProviderEvent::Refunded(reference, eur(4_000))));
}

#[test]
fn event_about_foreign_object_is_ignored_and_incomplete_data_fails() {
    let mut without = session("");
    without["client_reference_id"] = Value::Null;
    for object in [session("another shop's"), without] {
        assert_eq!(parsed("checkout.session.expired", &object), Ok(ProviderEvent::Ignored));
    }
    let mut bare = refund("", "", 4_000, "succeeded");
    bare["metadata"] = json!({});
    assert_eq!(parsed("refund.created", &bare), Ok(ProviderEvent::Ignored));
    assert_eq!(parsed("charge.refunded", &charge("", 4_000)), Ok(ProviderEvent::Ignored));
    assert_eq!(parsed("customer.created", &json!({ "object": "customer" })), Ok(ProviderEvent::Ignored));
    for (kind, object) in [
        ("checkout.session.completed", json!({})),
        ("refund.updated", json!(null)),
        ("charge.refunded", json!({ "amount_refunded": "1", "currency": "eur" })),
    ] {
        assert!(parsed(kind, &object).is_err(), "{kind}");
    }
}

/// A body, a time, and two secrets with their signatures, computed with:
/// `printf '%s' '1800000000.BODY' | openssl dgst -sha256 -hmac SECRET`
const BODY: &str = r#"{"id": "evt_1NG8Du2eZvKYlo2CUI79vXWy", "object": "event", "type": "charge.refunded"}"#;
const TIME: i64 = 1_800_000_000;
const OLD: (&str, &str) =
    ("whsec_0123456789abcdefghijklmnopqrstuv", "de4ac8e1074f7b27952be2aa0a22e096d33f4be05722511ccbc9301a1bc5398d");
const NEW: (&str, &str) =
    ("whsec_vutsrqponmlkjihgfedcba9876543210", "ab81a97005519b504599f12bdb04325275ccf456a24699601fe2610f55a2b3dc");

#[rstest]
#[case::one_secret(&[OLD.0], format!("t={TIME},v1={}", OLD.1), 0, Ok(()))]
#[case::both_sign_during_a_roll(&[NEW.0], format!("t={TIME},v1={},v1={}", OLD.1, NEW.1), 0, Ok(()))]
#[case::both_are_known_during_a_roll(&[NEW.0, OLD.0], format!("t={TIME},v1={}", OLD.1), 0, Ok(()))]
#[case::other_schemes_beside_it(&[NEW.0], format!("t={TIME},v1={},v0={}", NEW.1, OLD.1), 0, Ok(()))]
#[case::other_schemes_alone(&[NEW.0], format!("t={TIME},v0={}", NEW.1), 0, Err(SignatureError::Invalid))]
#[case::after_the_roll(&[NEW.0], format!("t={TIME},v1={}", OLD.1), 0, Err(SignatureError::Invalid))]
#[case::another_time(&[NEW.0], format!("t={},v1={}", TIME + 1, NEW.1), 0, Err(SignatureError::Invalid))]
#[case::just_in_time(&[NEW.0], format!("t={TIME},v1={}", NEW.1), 300, Ok(()))]
#[case::replayed(&[NEW.0], format!("t={TIME},v1={}", NEW.1), 301, Err(SignatureError::WrongTime))]
fn verify_follows_stripe_signature_scheme(
    #[case] secrets: &[&str],
    #[case] header: String,
    #[case] later: i64,
    #[case] expected: Result<(), SignatureError>,
) {
    assert_eq!(Provider::Stripe.signature_header(), "stripe-signature");
    let secrets: Vec<_> = secrets.iter().map(|secret| (*secret).into()).collect();
    let now = Timestamp::from_second(TIME + later).unwrap();
    assert_eq!(verify(&header, BODY.as_bytes(), &secrets, now), expected);
    if expected.is_ok() {
        assert_eq!(verify(&header, BODY.replace(": ", ":").as_bytes(), &secrets, now), Err(SignatureError::Invalid));
    }
}

proptest! {
    #[test]
    fn parse_of_arbitrary_object_does_not_panic(
        kind in prop::sample::select(vec!["checkout.session.completed", "refund.updated", "charge.refunded"]),
        amount in any::<i64>(),
        text in ".{0,40}",
    ) {
        for mut object in [session(&text), refund(&text, &text, amount, &text), charge(&text, amount)] {
            object["amount_total"] = json!(amount);
            object["currency"] = json!(text);
            object["status"] = json!(text);
            let _ = parsed(kind, &object);
        }
    }
}
