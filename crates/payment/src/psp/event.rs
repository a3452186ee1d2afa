//! The provider's events, as they come.

use serde::Deserialize;
use staymesh_domain::Money;
use uuid::Uuid;

use super::TransferWord;
use crate::model::CheckoutStatus;

/// What is wrong with an event of a known kind.
pub(super) const WRONG: &str = "must have in data what its type promises";

/// An event. The providers agree on its outside; what is in its data is each one's own.
#[derive(Debug, Deserialize)]
pub struct PspEvent {
    /// The provider's id of it: the same when it is sent again.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it happened to; kinds that are not known to us may carry anything.
    #[serde(default)]
    pub(super) data: serde_json::Value,
}

/// What an event of a known kind says.
#[derive(Debug, PartialEq, Eq)]
pub enum PspNews {
    /// A checkout has ended.
    Checkout(CheckoutData, CheckoutStatus),
    /// A card was declined, and another may be tried.
    Declined(Whose),
    /// A refund has arrived.
    Refund(Whose, RefundData),
    /// So much of a payment has gone back in all, whoever asked for it.
    PaidBack(Whose, Money),
    /// A transfer has ended.
    Transfer(TransferData, TransferWord),
    /// What should not happen to a payment of ours: people must look.
    Odd(Whose),
    /// Nothing to us.
    Unknown,
}

/// Which payment an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whose {
    /// The provider's id of its checkout, where the event has it.
    pub session: Option<String>,
    /// Ours: the payment's id.
    pub reference: String,
}

impl PspNews {
    /// Which payment it is about.
    pub fn whose(&self) -> Option<Whose> {
        match self {
            Self::Checkout(data, _) => Some(data.whose()),
            Self::Declined(whose) | Self::Refund(whose, _) | Self::PaidBack(whose, _) | Self::Odd(whose) => {
                Some(whose.clone())
            }
            Self::Transfer(..) | Self::Unknown => None,
        }
    }
}

/// The checkout of an event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct CheckoutData {
    /// The provider's id.
    pub session: String,
    /// Ours: the payment's id.
    pub reference: String,
    /// What it took or would have taken.
    pub amount_minor: i64,
    /// In this currency.
    pub currency: String,
}

impl CheckoutData {
    fn whose(&self) -> Whose {
        Whose { session: Some(self.session.clone()), reference: self.reference.clone() }
    }
}

/// The refund of an event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct RefundData {
    /// The provider's id.
    pub id: String,
    /// How much went back.
    pub amount_minor: i64,
    /// Ours: the refund's id. Absent when somebody paid back on the provider's own pages.
    pub reference: Option<Uuid>,
}

/// The transfer of an event.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct TransferData {
    /// The provider's id.
    pub transfer: String,
    /// Ours: the transfer's id.
    pub reference: Uuid,
    /// How much.
    pub amount_minor: i64,
    /// In this currency.
    pub currency: String,
}

#[derive(Deserialize)]
struct WithRefund {
    #[serde(flatten)]
    checkout: CheckoutData,
    refund: RefundData,
}

impl PspEvent {
    /// Reads a body whose signature is right.
    ///
    /// # Errors
    /// What is wrong with it, in words that repeat nothing of it.
    pub fn parse(body: &[u8]) -> Result<Self, &'static str> {
        let event: Self = serde_json::from_slice(body).map_err(|_| "must be a JSON object with id, type and data")?;
        let fits = |text: &str, max| (1..=max).contains(&text.chars().count()) && !text.contains('\0');
        if !fits(&event.id, 200) || !fits(&event.kind, 100) {
            return Err("must have an id of 1 to 200 and a type of 1 to 100 characters");
        }
        Ok(event)
    }

    /// What it says when it is the simulator's.
    ///
    /// # Errors
    /// When an event of a known kind does not have what it must.
    pub fn news(&self) -> Result<PspNews, &'static str> {
        let status = match self.kind.as_str() {
            "checkout.paid" => CheckoutStatus::Paid,
            "checkout.failed" => CheckoutStatus::Failed,
            "checkout.expired" => CheckoutStatus::Expired,
            "checkout.review" => CheckoutStatus::InReview,
            "checkout.declined" => {
                let data = CheckoutData::deserialize(&self.data).map_err(|_| WRONG)?;
                return Ok(PspNews::Declined(data.whose()));
            }
            "refund.succeeded" => {
                let data = WithRefund::deserialize(&self.data).map_err(|_| WRONG)?;
                return Ok(PspNews::Refund(data.checkout.whose(), data.refund));
            }
            "transfer.paid" => return self.transfer(TransferWord::Paid),
            "transfer.failed" => return self.transfer(TransferWord::Failed),
            _ => return Ok(PspNews::Unknown),
        };
        CheckoutData::deserialize(&self.data).map(|data| PspNews::Checkout(data, status)).map_err(|_| WRONG)
    }

    fn transfer(&self, word: TransferWord) -> Result<PspNews, &'static str> {
        TransferData::deserialize(&self.data).map(|data| PspNews::Transfer(data, word)).map_err(|_| WRONG)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_kinds_are_read_and_others_let_pass() {
        let event = |kind: &str, refund: &str| {
            let text = format!(
                r#"{{"id":"e","type":"{kind}","created":1,"data":{{"session":"s","reference":"r","amount_minor":5,"currency":"EUR"{refund}}}}}"#
            );
            PspEvent::parse(text.as_bytes()).unwrap().news()
        };
        assert!(matches!(event("checkout.paid", ""), Ok(PspNews::Checkout(_, CheckoutStatus::Paid))));
        assert!(matches!(event("checkout.review", ""), Ok(PspNews::Checkout(_, CheckoutStatus::InReview))));
        assert!(matches!(event("checkout.declined", ""), Ok(PspNews::Declined(whose)) if whose.reference == "r"));
        assert!(event("refund.succeeded", "").is_err(), "without its refund");
        let made = r#","refund":{"id":"re","amount_minor":5,"reference":null}"#;
        assert!(matches!(event("refund.succeeded", made), Ok(PspNews::Refund(_, refund)) if refund.amount_minor == 5));
        assert!(event("transfer.paid", "").is_err(), "without its transfer");
        for kind in ["payout.created", "checkout.opened"] {
            assert_eq!(event(kind, ""), Ok(PspNews::Unknown));
        }
        assert_eq!(PspEvent::parse(br#"{"id":"e","type":"x"}"#).unwrap().news(), Ok(PspNews::Unknown));
        for bad in ["", "[]", r#"{"id":"","type":"x"}"#, r#"{"id":"e"}"#, r#"{"id":"a\u0000","type":"x"}"#] {
            assert!(PspEvent::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_transfer_says_how_it_ended() {
        let id = Uuid::now_v7();
        for (kind, word) in [("transfer.paid", TransferWord::Paid), ("transfer.failed", TransferWord::Failed)] {
            let text = format!(
                r#"{{"id":"e","type":"{kind}","data":{{"transfer":"tr","reference":"{id}","amount_minor":5,"currency":"EUR","destination":"a"}}}}"#
            );
            let data = TransferData { transfer: "tr".into(), reference: id, amount_minor: 5, currency: "EUR".into() };
            assert_eq!(PspEvent::parse(text.as_bytes()).unwrap().news(), Ok(PspNews::Transfer(data, word)));
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = PspEvent::parse(&body).map(|event| event.news());
        }
    }
}
