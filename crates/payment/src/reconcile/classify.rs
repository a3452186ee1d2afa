//! What is different between what the provider says of some money and what is written here. No SQL and no I/O.

use jiff::civil::Date;
use uuid::Uuid;

use super::model::{Class, Finding, Replay, Subject, Sum};

/// One movement of money, as either side has it. At least one of them does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// A charge, a refund, a transfer, or what is none of these; the last is never [`Self::here`].
    pub kind: Subject,
    /// What the provider says.
    pub there: Option<There>,
    /// What is written here.
    pub here: Option<Here>,
}

/// What the settlement files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    /// The provider's id.
    pub psp_id: String,
    /// The checkout; empty for a transfer, and where the provider does not say.
    pub session: String,
    /// What the provider calls it, of what is [`Subject::Other`].
    pub note: String,
    /// How many lines say so.
    pub copies: i64,
    /// Whether other lines, with another id, say that they are the same of ours.
    pub is_another: bool,
    /// How much.
    pub sum: Sum,
    /// Whose file.
    pub day: Date,
}

/// What the payment database says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// The payment, refund or transfer.
    pub source_id: Uuid,
    /// The payment.
    pub payment_id: Option<Uuid>,
    /// The booking.
    pub reservation_id: Option<Uuid>,
    /// Where it stands.
    pub status: String,
    /// How much of the provider's money the ledger says has moved, and on which day it was posted. None before.
    pub posted: Option<(Sum, Date)>,
    /// The provider's id of it, when it is known.
    pub psp_id: Option<String>,
}

/// The differences of a pair; none when both say the same.
pub fn classify(pair: &Pair) -> Vec<Finding> {
    match (&pair.there, &pair.here) {
        (Some(there), None) => vec![missing_here(pair.kind, there)],
        (None, Some(here)) => missing_there(pair.kind, here).into_iter().collect(),
        (Some(there), Some(here)) => both(pair.kind, there, here),
        (None, None) => Vec::new(),
    }
}

fn missing_here(kind: Subject, there: &There) -> Finding {
    Finding {
        class: Class::MissingHere,
        subject: kind,
        subject_id: there.psp_id.clone(),
        day: there.day,
        psp_id: Some(there.psp_id.clone()),
        source_id: None,
        payment_id: None,
        reservation_id: None,
        expected: None,
        found: Some(there.sum.clone()),
        detail: match kind {
            Subject::Other => format!("the provider has moved money that is booked nowhere here: {}", there.note),
            _ => format!("the provider has a {} that is not known here", word(kind)),
        },
        replay: None,
    }
}

fn missing_there(kind: Subject, here: &Here) -> Option<Finding> {
    // Without a posting neither side says that money has moved.
    let (sum, day) = here.posted.clone()?;
    let detail = format!("the ledger has a {} that is in no settlement file", word(kind));
    let finding = about(kind, here, day, Class::MissingAtPsp, detail);
    Some(Finding { expected: Some(sum), psp_id: here.psp_id.clone(), ..finding })
}

fn both(kind: Subject, there: &There, here: &Here) -> Vec<Finding> {
    let found = |class, detail: String| Finding {
        psp_id: Some(there.psp_id.clone()),
        expected: here.posted.as_ref().map(|(sum, _)| sum.clone()),
        found: Some(there.sum.clone()),
        ..about(kind, here, there.day, class, detail)
    };
    let word = word(kind);
    if there.is_another {
        let detail = format!("the provider has a second {word} for the same of ours");
        return vec![Finding { subject_id: there.psp_id.clone(), ..found(Class::Duplicate, detail) }];
    }
    let mut findings = Vec::new();
    if there.copies > 1 {
        findings.push(found(Class::Duplicate, format!("the settlement files have the {word} {} times", there.copies)));
    }
    match &here.posted {
        None if moved(here) => {
            let detail = format!("the {word} is {} here, but not in the ledger; post what is missing", here.status);
            findings.push(found(Class::Status, detail));
        }
        None => {
            let detail = format!("the provider has moved the money of a {word} that is {} here", here.status);
            findings.push(Finding { replay: replay(kind, there, here), ..found(Class::Status, detail) });
        }
        Some((sum, _)) if sum.1 != there.sum.1 => {
            findings.push(found(Class::Currency, format!("the currencies of the {word} differ")));
        }
        Some((sum, _)) if sum.0 != there.sum.0 => {
            findings.push(found(Class::Amount, format!("the amounts of the {word} differ")));
        }
        Some(_) => {}
    }
    findings
}

/// Whether it is written down here that the money has moved.
fn moved(here: &Here) -> bool {
    matches!(here.status.as_str(), "PAID" | "REFUNDING" | "REFUNDED" | "SUCCEEDED")
}

/// The provider can be asked for what it knows by an id of ours.
fn replay(kind: Subject, there: &There, here: &Here) -> Option<Replay> {
    match kind {
        // The page that was paid on must be the payment's own, if both are known. One of them must be.
        Subject::Charge => match (&here.psp_id, there.session.as_str()) {
            (own, "") => own.is_some(),
            (own, session) => own.as_ref().is_none_or(|own| own == session),
        }
        .then_some(Replay::Checkout),
        Subject::Refund => Some(Replay::Refund),
        // One that has failed here and paid there is a contradiction; people must look.
        Subject::Transfer => (here.status == "REQUESTED").then_some(Replay::Transfer),
        _ => None,
    }
}

fn about(kind: Subject, here: &Here, day: Date, class: Class, detail: String) -> Finding {
    Finding {
        class,
        subject: kind,
        subject_id: here.source_id.to_string(),
        day,
        psp_id: None,
        source_id: Some(here.source_id),
        payment_id: here.payment_id,
        reservation_id: here.reservation_id,
        expected: None,
        found: None,
        detail,
        replay: None,
    }
}

const fn word(kind: Subject) -> &'static str {
    match kind {
        Subject::Refund => "refund",
        Subject::Transfer => "transfer",
        _ => "charge",
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn eur(minor: i64) -> Sum {
        (minor, "EUR".to_owned())
    }

    fn there() -> There {
        There {
            psp_id: "cs_1".into(),
            session: "cs_1".into(),
            note: String::new(),
            copies: 1,
            is_another: false,
            sum: eur(500),
            day: date(2026, 1, 31),
        }
    }

    fn here() -> Here {
        Here {
            source_id: Uuid::from_u128(7),
            payment_id: Some(Uuid::from_u128(7)),
            reservation_id: Some(Uuid::from_u128(8)),
            status: "PAID".into(),
            posted: Some((eur(500), date(2026, 2, 1))),
            psp_id: Some("cs_1".into()),
        }
    }

    fn found(kind: Subject, there: Option<There>, here: Option<Here>) -> Vec<Finding> {
        classify(&Pair { kind, there, here })
    }

    /// The class, subject, day and replay of each.
    fn brief(findings: &[Finding]) -> Vec<(Class, &str, Date, Option<Replay>)> {
        findings.iter().map(|f| (f.class, f.subject_id.as_str(), f.day, f.replay)).collect()
    }

    const OURS: &str = "00000000-0000-0000-0000-000000000007";
    const FILE: Date = date(2026, 1, 31);

    #[test]
    fn what_both_say_is_no_difference_whatever_its_days() {
        for kind in [Subject::Charge, Subject::Refund, Subject::Transfer] {
            assert_eq!(found(kind, Some(there()), Some(here())), []);
            assert_eq!(found(kind, None, Some(Here { posted: None, ..here() })), [], "nobody says that money moved");
            assert_eq!(found(kind, None, None), []);
        }
    }

    #[test]
    fn each_difference_has_its_class() {
        let charge = |there, here| found(Subject::Charge, there, here);
        let one = charge(None, Some(here()));
        assert_eq!(brief(&one), [(Class::MissingAtPsp, OURS, date(2026, 2, 1), None)]);
        assert_eq!((one[0].expected.clone(), one[0].found.clone()), (Some(eur(500)), None));
        let one = charge(Some(there()), None);
        assert_eq!(brief(&one), [(Class::MissingHere, "cs_1", FILE, None)]);
        assert_eq!((one[0].expected.clone(), one[0].found.clone()), (None, Some(eur(500))));
        let one = charge(Some(There { sum: eur(501), ..there() }), Some(here()));
        assert_eq!(brief(&one), [(Class::Amount, OURS, FILE, None)]);
        assert_eq!((one[0].expected.clone(), one[0].found.clone()), (Some(eur(500)), Some(eur(501))));
        let one = charge(Some(There { sum: (500, "USD".into()), ..there() }), Some(here()));
        assert_eq!(brief(&one), [(Class::Currency, OURS, FILE, None)]);
        let one = charge(Some(There { copies: 2, ..there() }), Some(here()));
        assert_eq!(brief(&one), [(Class::Duplicate, OURS, FILE, None)]);
        let one = charge(Some(There { psp_id: "cs_2".into(), is_another: true, ..there() }), Some(here()));
        assert_eq!(brief(&one), [(Class::Duplicate, "cs_2", FILE, None)], "its own subject: money came twice");
        let one = charge(Some(there()), Some(Here { posted: None, status: "EXPIRED".into(), ..here() }));
        assert_eq!(brief(&one), [(Class::Status, OURS, FILE, Some(Replay::Checkout))]);
        assert!(one[0].detail.contains("EXPIRED"));
    }

    #[test]
    fn what_is_booked_nowhere_says_what_it_is() {
        let note = "adjustment (dispute) of du_1, money out".to_owned();
        let one = found(Subject::Other, Some(There { psp_id: "txn_1".into(), note, ..there() }), None);
        assert_eq!(brief(&one), [(Class::MissingHere, "txn_1", FILE, None)]);
        assert!(one[0].detail.ends_with("here: adjustment (dispute) of du_1, money out"), "{}", one[0].detail);
    }

    #[test]
    fn amounts_of_other_currencies_are_not_compared_and_a_duplicate_hides_nothing() {
        let both = found(Subject::Charge, Some(There { copies: 3, sum: (1, "USD".into()), ..there() }), Some(here()));
        assert_eq!(both.iter().map(|f| f.class).collect::<Vec<_>>(), [Class::Duplicate, Class::Currency]);
    }

    #[test]
    fn what_is_written_down_as_moved_and_not_posted_is_to_be_posted_and_not_asked_for() {
        for (kind, status) in [
            (Subject::Charge, "PAID"),
            (Subject::Charge, "REFUNDING"),
            (Subject::Charge, "REFUNDED"),
            (Subject::Refund, "SUCCEEDED"),
        ] {
            let one = found(kind, Some(there()), Some(Here { posted: None, status: status.into(), ..here() }));
            assert_eq!(brief(&one), [(Class::Status, OURS, FILE, None)]);
            assert!(one[0].detail.contains(status) && one[0].detail.contains("not in the ledger"), "{}", one[0].detail);
        }
    }

    #[test]
    fn a_replay_asks_only_for_what_is_ours() {
        let open = |psp_id: Option<&str>| Here {
            posted: None,
            psp_id: psp_id.map(str::to_owned),
            status: "EXPIRED".into(),
            ..here()
        };
        let replay = |kind, here| found(kind, Some(there()), Some(here))[0].replay;
        assert_eq!(replay(Subject::Charge, open(None)), Some(Replay::Checkout), "its answer was lost");
        assert_eq!(replay(Subject::Charge, open(Some("cs_9"))), None, "paid on another page");
        let unsaid =
            |here| found(Subject::Charge, Some(There { session: String::new(), ..there() }), Some(here))[0].replay;
        assert_eq!(unsaid(open(Some("cs_9"))), Some(Replay::Checkout), "its own page is asked for");
        assert_eq!(unsaid(open(None)), None, "nobody knows a page");
        assert_eq!(replay(Subject::Refund, open(None)), Some(Replay::Refund));
        for (status, expected) in [("REQUESTED", Some(Replay::Transfer)), ("FAILED", None)] {
            assert_eq!(replay(Subject::Transfer, Here { status: status.into(), ..open(None) }), expected, "{status}");
        }
    }
}
