//! Events of the simulator.

use serde::Deserialize;

use crate::{
    CheckoutStatus, TransferOutcome,
    event::{CheckoutData, EventEnvelope, INCOMPLETE, ProviderEvent, RefundData, TransferData},
};

#[derive(Deserialize)]
struct WithRefund {
    #[serde(flatten)]
    checkout: CheckoutData,
    refund: RefundData,
}

/// Parses an event of the simulator.
///
/// # Errors
/// When an event of a known type lacks data that the type requires.
pub fn parse(envelope: &EventEnvelope) -> Result<ProviderEvent, &'static str> {
    let data = &envelope.data;
    let status = match envelope.kind.as_str() {
        "checkout.paid" => CheckoutStatus::Paid,
        "checkout.failed" => CheckoutStatus::Failed,
        "checkout.expired" => CheckoutStatus::Expired,
        "checkout.review" => CheckoutStatus::InReview,
        "checkout.declined" => {
            let data = CheckoutData::deserialize(data).map_err(|_| INCOMPLETE)?;
            return Ok(ProviderEvent::Declined(data.payment_reference()));
        }
        "refund.succeeded" => {
            let data = WithRefund::deserialize(data).map_err(|_| INCOMPLETE)?;
            return Ok(ProviderEvent::RefundSucceeded(data.checkout.payment_reference(), data.refund));
        }
        "transfer.paid" => return transfer(data, TransferOutcome::Paid),
        "transfer.failed" => return transfer(data, TransferOutcome::Failed),
        _ => return Ok(ProviderEvent::Ignored),
    };
    CheckoutData::deserialize(data).map(|data| ProviderEvent::Checkout(data, status)).map_err(|_| INCOMPLETE)
}

fn transfer(data: &serde_json::Value, outcome: TransferOutcome) -> Result<ProviderEvent, &'static str> {
    TransferData::deserialize(data).map(|data| ProviderEvent::Transfer(data, outcome)).map_err(|_| INCOMPLETE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn parsed(text: &str) -> Result<ProviderEvent, &'static str> {
        parse(&EventEnvelope::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn parse_reads_known_types_and_ignores_others() {
        let event = |kind: &str, refund: &str| {
            parsed(&format!(
                r#"{{"id":"e","type":"{kind}","created":1,"data":{{"session":"s","reference":"r","amount_minor":5,"currency":"EUR"{refund}}}}}"#
            ))
        };
        assert!(matches!(event("checkout.paid", ""), Ok(ProviderEvent::Checkout(_, CheckoutStatus::Paid))));
        assert!(matches!(event("checkout.review", ""), Ok(ProviderEvent::Checkout(_, CheckoutStatus::InReview))));
        assert!(
            matches!(event("checkout.declined", ""), Ok(ProviderEvent::Declined(payment)) if payment.reference == "r")
        );
        assert!(event("refund.succeeded", "").is_err(), "without its refund");
        let made = r#","refund":{"id":"re","amount_minor":5,"reference":null}"#;
        assert!(
            matches!(event("refund.succeeded", made), Ok(ProviderEvent::RefundSucceeded(_, refund)) if refund.amount_minor == 5)
        );
        assert!(event("transfer.paid", "").is_err(), "without its transfer");
        for kind in ["payout.created", "checkout.opened"] {
            assert_eq!(event(kind, ""), Ok(ProviderEvent::Ignored));
        }
        assert_eq!(parsed(r#"{"id":"e","type":"x"}"#), Ok(ProviderEvent::Ignored));
        for bad in ["", "[]", r#"{"id":"","type":"x"}"#, r#"{"id":"e"}"#, r#"{"id":"a\u0000","type":"x"}"#] {
            assert!(EventEnvelope::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn parse_of_transfer_events_yields_the_outcome() {
        let id = Uuid::now_v7();
        for (kind, outcome) in [("transfer.paid", TransferOutcome::Paid), ("transfer.failed", TransferOutcome::Failed)]
        {
            let text = format!(
                r#"{{"id":"e","type":"{kind}","data":{{"transfer":"tr","reference":"{id}","amount_minor":5,"currency":"EUR","destination":"a"}}}}"#
            );
            let data = TransferData { transfer: "tr".into(), reference: id, amount_minor: 5, currency: "EUR".into() };
            assert_eq!(parsed(&text), Ok(ProviderEvent::Transfer(data, outcome)));
        }
    }

    proptest! {
        #[test]
        fn parse_of_arbitrary_bytes_does_not_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = EventEnvelope::parse(&body).map(|event| parse(&event));
        }
    }
}
