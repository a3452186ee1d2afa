//! Balance transactions of Stripe as lines of a settlement file.
//!
//! A line has the amount before Stripe's fees, as the ledger books it: the transaction's amount, or, if Stripe converted
//! the currency, the amount of the charge, refund or transfer itself. `pending` and `available` transactions are treated
//! alike.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use staymesh_domain::Money;

use super::{amount::from_stripe, object::Metadata};
use crate::{
    PspError,
    settlement::{MovementKind, SettlementLine},
};

/// Transaction types between Stripe and the operator, which the ledger does not book: payouts to the operator's bank,
/// fees, reserves and top-ups.
const OPERATOR_TYPES: [&str; 17] = [
    "payout",
    "payout_cancel",
    "payout_failure",
    "payout_minimum_balance_hold",
    "payout_minimum_balance_release",
    "stripe_fee",
    "stripe_fx_fee",
    "tax_fee",
    "tax_fund",
    "fee_credit_funding",
    "reserve_transaction",
    "reserved_funds",
    "reserve_hold",
    "reserve_release",
    "payment_network_reserve_hold",
    "payment_network_reserve_release",
    "topup",
];
/// Longest id and longest type name that are passed on, in bytes.
const MAX_ID: usize = 200;
const MAX_NAME: usize = 60;
/// The ISO 4217 code for "no currency".
const NO_CURRENCY: &str = "XXX";

/// A balance transaction.
#[derive(Deserialize)]
pub(super) struct Movement {
    pub(super) id: String,
    /// Positive into the account, negative out of it.
    amount: i64,
    currency: String,
    created: i64,
    #[serde(rename = "type")]
    kind: String,
    /// Refines the type of an adjustment.
    reporting_category: Option<String>,
    /// The object that moved; its id alone if Stripe does not expand it, and null for some types. Decoded only for known
    /// types, so that an unknown object does not make a page undecodable.
    #[serde(default)]
    source: Value,
}

/// A charge, a refund or a transfer.
#[derive(Deserialize)]
struct Source {
    id: String,
    amount: i64,
    /// Present in charges.
    amount_captured: Option<i64>,
    currency: String,
    metadata: Option<Metadata>,
    /// Present in transfers.
    transfer_group: Option<String>,
}

/// A movement that the ledger may have booked.
struct Booked {
    kind: MovementKind,
    id: String,
    reference: String,
    money: Money,
}

impl Movement {
    /// The settlement line; `None` for money between Stripe and the operator.
    ///
    /// # Errors
    /// [`PspError::Unknown`] when the time, the id or the amount is invalid.
    pub(super) fn line(&self) -> Result<Option<SettlementLine>, PspError> {
        if self.is_operators() {
            return Ok(None);
        }
        let created = Timestamp::from_second(self.created).map_err(|_| PspError::Unknown("the time is invalid"))?;
        if !is_id(&self.id) {
            return Err(PspError::Unknown("the id is invalid"));
        }
        Ok(Some(match self.booked() {
            Some(booked) => SettlementLine {
                psp_id: booked.id,
                kind: booked.kind,
                reference: booked.reference,
                // Stripe refers to the PaymentIntent, not to the session.
                session: String::new(),
                amount_minor: booked.money.minor(),
                currency: booked.money.currency().code().to_owned(),
                created,
                note: String::new(),
            },
            None => self.other(created)?,
        }))
    }

    fn is_operators(&self) -> bool {
        let fee = self.kind == "adjustment" && self.reporting_category.as_deref() == Some("fee");
        fee || self.kind == "topup_reversal" || OPERATOR_TYPES.contains(&self.kind.as_str())
    }

    /// The charge, refund or transfer, with or without an id of ours.
    fn booked(&self) -> Option<Booked> {
        let (kind, sign) = match (self.kind.as_str(), self.source["object"].as_str()?) {
            ("charge" | "payment", "charge") => (MovementKind::Charge, 1),
            ("refund" | "payment_refund", "refund") => (MovementKind::Refund, -1),
            ("transfer", "transfer") => (MovementKind::Transfer, -1),
            _ => return None,
        };
        let source = Source::deserialize(&self.source).ok().filter(|source| is_id(&source.id))?;
        if self.amount.signum() != sign {
            return None;
        }
        let amount = match kind {
            _ if source.currency == self.currency => self.amount.checked_abs()?,
            // Less may have been captured than was authorized.
            MovementKind::Charge => source.amount_captured?,
            _ => source.amount,
        };
        let metadata = source.metadata.unwrap_or_default();
        let reference = match kind {
            MovementKind::Charge => metadata.payment_id().map(|id| id.to_string()),
            MovementKind::Refund => metadata.refund_id().map(|id| id.to_string()),
            _ => source.transfer_group.and_then(|group| group.parse::<uuid::Uuid>().ok()).map(|id| id.to_string()),
        };
        let money = from_stripe(amount, &source.currency)?;
        Some(Booked { kind, id: source.id, reference: reference.unwrap_or_default(), money })
    }

    /// A movement that the ledger does not book: a dispute, a failed refund, a reversed transfer, or a type added later.
    /// The reconciliation opens a case for it. The amount of a currency that is unknown here is in Stripe's units: it is
    /// reported and never compared.
    ///
    /// # Errors
    /// [`PspError::Unknown`] when the amount exceeds [`Money::MAX_MINOR`].
    fn other(&self, created: Timestamp) -> Result<SettlementLine, PspError> {
        let note = self.name();
        tracing::warn!(psp_transaction = self.id, movement = note, "a movement is not booked in the ledger");
        let out_of_range = PspError::Unknown("the amount is out of range");
        let amount = self.amount.checked_abs().ok_or(out_of_range.clone())?;
        let code = self.currency.to_ascii_uppercase();
        let is_code = code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase());
        let (amount_minor, currency) = match from_stripe(amount, &self.currency) {
            Some(money) => (money.minor(), money.currency().code().to_owned()),
            None if amount > Money::MAX_MINOR => return Err(out_of_range),
            None => (amount, if is_code { code } else { NO_CURRENCY.to_owned() }),
        };
        Ok(SettlementLine {
            // Each transaction is a movement of its own, also if several belong to the same dispute.
            psp_id: self.id.clone(),
            kind: MovementKind::Other,
            reference: String::new(),
            session: String::new(),
            amount_minor,
            currency,
            created,
            note,
        })
    }

    /// For example `adjustment (dispute) of du_1, money out`. Free text of Stripe is not passed on.
    fn name(&self) -> String {
        let named = |name: &str| (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|b| is_plain(b) && b != b'-');
        let mut text = if named(&self.kind) { self.kind.clone() } else { "an unnamed movement".to_owned() };
        if let Some(category) = self.reporting_category.as_ref().filter(|name| named(name) && **name != self.kind) {
            text = format!("{text} ({category})");
        }
        let source = self.source.as_str().or_else(|| self.source["id"].as_str());
        if let Some(source) = source.filter(|id| is_id(id)) {
            text = format!("{text} of {source}");
        }
        format!("{text}, money {}", if self.amount < 0 { "out" } else { "in" })
    }
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(is_plain)
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    const OURS: &str = "0199f3a0-0000-7000-8000-000000000007";

    fn moved(kind: &str, amount: i64, currency: &str, source: &Value) -> Movement {
        let transaction = json!({
            "id": "txn_1", "object": "balance_transaction", "amount": amount, "currency": currency, "created": 1_800_000_000,
            "type": kind, "reporting_category": kind, "source": source, "fee": 30, "net": amount - 30, "status": "pending",
        });
        serde_json::from_value(transaction).unwrap()
    }

    fn charge(amount: i64, currency: &str) -> Value {
        json!({ "id": "ch_1", "object": "charge", "amount": amount, "amount_captured": amount, "currency": currency,
            "metadata": { "payment_id": OURS } })
    }

    fn refund(amount: i64, currency: &str) -> Value {
        json!({ "id": "re_1", "object": "refund", "amount": amount, "currency": currency, "charge": "ch_1",
            "metadata": { "payment_id": OURS, "refund_id": OURS } })
    }

    fn transfer(group: &Value) -> Value {
        json!({ "id": "tr_1", "object": "transfer", "amount": 700, "currency": "eur", "metadata": {}, "transfer_group": group })
    }

    fn line(movement: &Movement) -> SettlementLine {
        movement.line().unwrap().unwrap()
    }

    #[rstest]
    #[case("charge", 1205, &charge(1205, "eur"), MovementKind::Charge, "ch_1")]
    #[case("payment", 1205, &charge(1205, "eur"), MovementKind::Charge, "ch_1")]
    #[case("refund", -1205, &refund(1205, "eur"), MovementKind::Refund, "re_1")]
    #[case("payment_refund", -1205, &refund(1205, "eur"), MovementKind::Refund, "re_1")]
    #[case("transfer", -1205, &transfer(&json!(OURS)), MovementKind::Transfer, "tr_1")]
    fn line_of_booked_movement_has_our_id_as_reference(
        #[case] kind: &str,
        #[case] amount: i64,
        #[case] source: &Value,
        #[case] subject: MovementKind,
        #[case] id: &str,
    ) {
        let expected = SettlementLine {
            psp_id: id.into(),
            kind: subject,
            reference: OURS.into(),
            session: String::new(),
            amount_minor: 1205,
            currency: "EUR".into(),
            created: Timestamp::from_second(1_800_000_000).unwrap(),
            note: String::new(),
        };
        assert_eq!(line(&moved(kind, amount, "eur", source)), expected);
    }

    #[rstest]
    #[case::zero_decimals(500, "jpy", "jpy", 500, (500, "JPY"))]
    #[case::three_decimals(5_120, "kwd", "kwd", 5_120, (5_120, "KWD"))]
    #[case::two_zeros(500, "isk", "isk", 500, (5, "ISK"))]
    #[case::whole(5, "mga", "mga", 5, (500, "MGA"))]
    #[case::exchanged(4_410, "eur", "kwd", 15_000, (15_000, "KWD"))]
    #[case::exchanged_to_whole(4_410, "jpy", "eur", 2_500, (2_500, "EUR"))]
    fn line_amount_is_in_the_currency_of_the_guest(
        #[case] amount: i64,
        #[case] currency: &str,
        #[case] own_currency: &str,
        #[case] own: i64,
        #[case] expected: (i64, &str),
    ) {
        for (kind, amount, source) in
            [("charge", amount, charge(own, own_currency)), ("refund", -amount, refund(own, own_currency))]
        {
            let line = line(&moved(kind, amount, currency, &source));
            assert_eq!((line.amount_minor, line.currency.as_str()), expected, "{kind}");
        }
    }

    #[test]
    fn line_of_foreign_movement_has_no_reference() {
        let mut foreign = charge(1205, "eur");
        for metadata in [json!({}), json!(null), json!({ "payment_id": "order 17", "refund_id": "x".repeat(500) })] {
            foreign["metadata"] = metadata;
            assert_eq!(line(&moved("charge", 1205, "eur", &foreign)).reference, "");
        }
        for group in [json!(null), json!("ORDER95")] {
            assert_eq!(line(&moved("transfer", -700, "eur", &transfer(&group))).reference, "");
        }
    }

    #[test]
    fn operator_types_have_no_line() {
        for kind in OPERATOR_TYPES.into_iter().chain(["topup_reversal"]) {
            assert_eq!(moved(kind, -5, "eur", &json!("po_1")).line().unwrap(), None, "{kind}");
        }
        let mut fee = moved("adjustment", -5, "eur", &json!(null));
        fee.reporting_category = Some("fee".into());
        assert_eq!(fee.line().unwrap(), None);
    }

    #[rstest]
    #[case::dispute("adjustment", Some("dispute"), -1205, &json!({ "id": "du_1", "object": "dispute", "amount": 1205 }), "adjustment (dispute) of du_1, money out")]
    #[case::won("adjustment", Some("dispute_reversal"), 1205, &json!("du_1"), "adjustment (dispute_reversal) of du_1, money in")]
    #[case::bounced("payment_failure_refund", Some("charge_failure"), -1205, &charge(1205, "eur"), "payment_failure_refund (charge_failure) of ch_1, money out")]
    #[case::refund_came_back("refund_failure", Some("refund_failure"), 1205, &refund(1205, "eur"), "refund_failure of re_1, money in")]
    #[case::reversed("transfer_refund", None, 1205, &json!({ "id": "trr_1", "object": "transfer_reversal" }), "transfer_refund of trr_1, money in")]
    #[case::new("moon_loan", Some("other"), -1205, &json!({ "object": "moon", "amount": "much" }), "moon_loan (other), money out")]
    #[case::not_shown("charge", Some("charge"), 1205, &json!("ch_1"), "charge of ch_1, money in")]
    #[case::not_readable("charge", Some("charge"), 1205, &json!({ "id": "ch_1", "object": "charge" }), "charge of ch_1, money in")]
    #[case::nothing("refund", None, -1205, &json!(null), "refund, money out")]
    #[case::opposite_sign("charge", None, -1205, &charge(1205, "eur"), "charge of ch_1, money out")]
    #[case::free_text("A Guest <guest@example.com>", Some("A Guest"), 1205, &json!("A Guest"), "an unnamed movement, money in")]
    fn unbooked_movement_is_a_line_of_kind_other(
        #[case] kind: &str,
        #[case] category: Option<&str>,
        #[case] amount: i64,
        #[case] source: &Value,
        #[case] note: &str,
    ) {
        let mut movement = moved(kind, amount, "eur", source);
        movement.reporting_category = category.map(str::to_owned);
        let line = line(&movement);
        assert_eq!((line.kind, line.psp_id.as_str(), line.note.as_str()), (MovementKind::Other, "txn_1", note));
        assert_eq!((line.reference.as_str(), line.amount_minor, line.currency.as_str()), ("", 1205, "EUR"));
    }

    #[test]
    fn line_of_invalid_amount_is_of_kind_other() {
        for (currency, code) in [("isk", "ISK"), ("iqd", "IQD"), ("zzz", "ZZZ"), ("€", "XXX"), ("", "XXX")] {
            let line = line(&moved("charge", 550, currency, &charge(550, currency)));
            assert_eq!((line.kind, line.amount_minor, line.currency.as_str()), (MovementKind::Other, 550, code));
        }
    }

    #[test]
    fn line_of_amount_out_of_range_fails() {
        for amount in [Money::MAX_MINOR + 1, -Money::MAX_MINOR - 1, i64::MIN, i64::MAX] {
            let movement = Movement { amount, ..moved("adjustment", 0, "zzz", &json!("du_1")) };
            assert_eq!(movement.line().unwrap_err(), PspError::Unknown("the amount is out of range"), "{amount}");
        }
        assert_eq!(line(&moved("adjustment", -Money::MAX_MINOR, "eur", &json!("du_1"))).amount_minor, Money::MAX_MINOR);
    }

    proptest! {
        #[test]
        fn line_of_arbitrary_transaction_satisfies_database_constraints(
            kind in prop::sample::select(vec!["charge", "refund", "transfer", "adjustment", "other"]),
            (amount, own, created) in any::<(i64, i64, i64)>(),
            currency in ".{0,4}",
            text in ".{0,300}",
        ) {
            for mut source in [charge(own, &currency), refund(own, "kwd"), transfer(&json!(text)), json!(text)] {
                if source.is_object() {
                    source["id"] = json!(text);
                }
                let mut movement = moved(kind, amount, &currency, &source);
                movement.created = created;
                movement.reporting_category = Some(text.clone());
                if let Ok(Some(line)) = movement.line() {
                    prop_assert!((1..=200).contains(&line.psp_id.chars().count()) && line.note.len() <= 400);
                    prop_assert!((0..=999_999_999_999_999).contains(&line.amount_minor), "{}", line.amount_minor);
                    prop_assert!(line.currency.len() == 3 && line.currency.bytes().all(|b| b.is_ascii_uppercase()));
                    prop_assert!(line.reference.is_empty() || line.reference.parse::<Uuid>().is_ok());
                }
            }
        }
    }
}
