//! Classifies differences between settlement lines and recorded movements. Pure functions.

use jiff::civil::Date;
use uuid::Uuid;

use super::model::{CaseKind, Finding, Replay, Subject, Sum};

/// A movement of money, as either side has it. At least one side is present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// A charge, a refund, a transfer, or another movement, which is never [`Self::recorded`].
    pub subject: Subject,
    /// The provider's side.
    pub provider: Option<AtProvider>,
    /// The recorded side.
    pub recorded: Option<Recorded>,
}

/// The movement in the settlement files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtProvider {
    /// The provider's id.
    pub psp_id: String,
    /// The checkout session; empty for a transfer, or if the provider does not name it.
    pub session: String,
    /// The provider's name of a movement of [`Subject::Other`].
    pub note: String,
    /// The number of lines with this id.
    pub copies: i64,
    /// Whether lines with another provider id refer to the same source.
    pub is_another: bool,
    /// The amount.
    pub sum: Sum,
    /// The day of the file.
    pub day: Date,
}

/// The movement in the payment database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The payment, refund or transfer.
    pub source_id: Uuid,
    /// The payment.
    pub payment_id: Option<Uuid>,
    /// The reservation.
    pub reservation_id: Option<Uuid>,
    /// The status of the source.
    pub status: String,
    /// The posted amount and the UTC date of the posting; `None` before it is posted.
    pub posted: Option<(Sum, Date)>,
    /// The provider's id, if known.
    pub psp_id: Option<String>,
}

/// The findings of a pair; none if both sides agree.
pub fn classify(pair: &Pair) -> Vec<Finding> {
    match (&pair.provider, &pair.recorded) {
        (Some(provider), None) => vec![missing_here(pair.subject, provider)],
        (None, Some(recorded)) => missing_at_provider(pair.subject, recorded).into_iter().collect(),
        (Some(provider), Some(recorded)) => both(pair.subject, provider, recorded),
        (None, None) => Vec::new(),
    }
}

fn missing_here(subject: Subject, provider: &AtProvider) -> Finding {
    Finding {
        kind: CaseKind::MissingHere,
        subject,
        subject_id: provider.psp_id.clone(),
        day: provider.day,
        psp_id: Some(provider.psp_id.clone()),
        source_id: None,
        payment_id: None,
        reservation_id: None,
        expected: None,
        found: Some(provider.sum.clone()),
        detail: match subject {
            Subject::Other => format!("the provider moved money that the ledger does not book: {}", provider.note),
            _ => format!("the provider has a {} that is unknown here", name(subject)),
        },
        replay: None,
    }
}

fn missing_at_provider(subject: Subject, recorded: &Recorded) -> Option<Finding> {
    // Without a posting neither side has moved money.
    let (sum, day) = recorded.posted.clone()?;
    let detail = format!("the ledger has a {} that is in no settlement file", name(subject));
    let finding = about(subject, recorded, day, CaseKind::MissingAtPsp, detail);
    Some(Finding { expected: Some(sum), psp_id: recorded.psp_id.clone(), ..finding })
}

fn both(subject: Subject, provider: &AtProvider, recorded: &Recorded) -> Vec<Finding> {
    let found = |kind, detail: String| Finding {
        psp_id: Some(provider.psp_id.clone()),
        expected: recorded.posted.as_ref().map(|(sum, _)| sum.clone()),
        found: Some(provider.sum.clone()),
        ..about(subject, recorded, provider.day, kind, detail)
    };
    let name = name(subject);
    if provider.is_another {
        let detail = format!("the provider has a second {name} for the same of ours");
        return vec![Finding { subject_id: provider.psp_id.clone(), ..found(CaseKind::Duplicate, detail) }];
    }
    let mut findings = Vec::new();
    if provider.copies > 1 {
        findings.push(found(
            CaseKind::Duplicate,
            format!("the settlement files have the {name} {} times", provider.copies),
        ));
    }
    match &recorded.posted {
        None if moved(recorded) => {
            let detail = format!("the {name} is {} here, but not in the ledger; post what is missing", recorded.status);
            findings.push(found(CaseKind::Status, detail));
        }
        None => {
            let detail = format!("the provider moved the money of a {name} that is {} here", recorded.status);
            findings.push(Finding { replay: replay(subject, provider, recorded), ..found(CaseKind::Status, detail) });
        }
        Some((sum, _)) if sum.1 != provider.sum.1 => {
            findings.push(found(CaseKind::Currency, format!("the currencies of the {name} differ")));
        }
        Some((sum, _)) if sum.0 != provider.sum.0 => {
            findings.push(found(CaseKind::Amount, format!("the amounts of the {name} differ")));
        }
        Some(_) => {}
    }
    findings
}

/// Whether the status says that the money has moved.
fn moved(recorded: &Recorded) -> bool {
    matches!(recorded.status.as_str(), "PAID" | "REFUNDING" | "REFUNDED" | "SUCCEEDED")
}

/// The step that may resolve the difference: requests with the same idempotency key return what the provider has.
fn replay(subject: Subject, provider: &AtProvider, recorded: &Recorded) -> Option<Replay> {
    match subject {
        // If both sessions are known they must be equal, and one must be known.
        Subject::Charge => match (&recorded.psp_id, provider.session.as_str()) {
            (own, "") => own.is_some(),
            (own, session) => own.as_ref().is_none_or(|own| own == session),
        }
        .then_some(Replay::Checkout),
        Subject::Refund => Some(Replay::Refund),
        // Failed here and paid there is a contradiction for finance to examine.
        Subject::Transfer => (recorded.status == "REQUESTED").then_some(Replay::Transfer),
        _ => None,
    }
}

fn about(subject: Subject, recorded: &Recorded, day: Date, kind: CaseKind, detail: String) -> Finding {
    Finding {
        kind,
        subject,
        subject_id: recorded.source_id.to_string(),
        day,
        psp_id: None,
        source_id: Some(recorded.source_id),
        payment_id: recorded.payment_id,
        reservation_id: recorded.reservation_id,
        expected: None,
        found: None,
        detail,
        replay: None,
    }
}

const fn name(subject: Subject) -> &'static str {
    match subject {
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

    fn there() -> AtProvider {
        AtProvider {
            psp_id: "cs_1".into(),
            session: "cs_1".into(),
            note: String::new(),
            copies: 1,
            is_another: false,
            sum: eur(500),
            day: date(2026, 1, 31),
        }
    }

    fn here() -> Recorded {
        Recorded {
            source_id: Uuid::from_u128(7),
            payment_id: Some(Uuid::from_u128(7)),
            reservation_id: Some(Uuid::from_u128(8)),
            status: "PAID".into(),
            posted: Some((eur(500), date(2026, 2, 1))),
            psp_id: Some("cs_1".into()),
        }
    }

    fn found(subject: Subject, there: Option<AtProvider>, here: Option<Recorded>) -> Vec<Finding> {
        classify(&Pair { subject, provider: there, recorded: here })
    }

    /// The kind, subject, day and replay of each.
    fn brief(findings: &[Finding]) -> Vec<(CaseKind, &str, Date, Option<Replay>)> {
        findings.iter().map(|f| (f.kind, f.subject_id.as_str(), f.day, f.replay)).collect()
    }

    const OURS: &str = "00000000-0000-0000-0000-000000000007";
    const FILE: Date = date(2026, 1, 31);

    #[test]
    fn what_both_say_is_no_difference_whatever_its_days() {
        for subject in [Subject::Charge, Subject::Refund, Subject::Transfer] {
            assert_eq!(found(subject, Some(there()), Some(here())), []);
            assert_eq!(
                found(subject, None, Some(Recorded { posted: None, ..here() })),
                [],
                "no side says that money moved"
            );
            assert_eq!(found(subject, None, None), []);
        }
    }

    #[test]
    fn each_difference_has_its_kind() {
        let charge = |there, here| found(Subject::Charge, there, here);
        let one = charge(None, Some(here()));
        assert_eq!(brief(&one), [(CaseKind::MissingAtPsp, OURS, date(2026, 2, 1), None)]);
        assert_eq!((one[0].expected.clone(), one[0].found.clone()), (Some(eur(500)), None));
        let one = charge(Some(there()), None);
        assert_eq!(brief(&one), [(CaseKind::MissingHere, "cs_1", FILE, None)]);
        assert_eq!((one[0].expected.clone(), one[0].found.clone()), (None, Some(eur(500))));
        let one = charge(Some(AtProvider { sum: eur(501), ..there() }), Some(here()));
        assert_eq!(brief(&one), [(CaseKind::Amount, OURS, FILE, None)]);
        assert_eq!((one[0].expected.clone(), one[0].found.clone()), (Some(eur(500)), Some(eur(501))));
        let one = charge(Some(AtProvider { sum: (500, "USD".into()), ..there() }), Some(here()));
        assert_eq!(brief(&one), [(CaseKind::Currency, OURS, FILE, None)]);
        let one = charge(Some(AtProvider { copies: 2, ..there() }), Some(here()));
        assert_eq!(brief(&one), [(CaseKind::Duplicate, OURS, FILE, None)]);
        let one = charge(Some(AtProvider { psp_id: "cs_2".into(), is_another: true, ..there() }), Some(here()));
        assert_eq!(brief(&one), [(CaseKind::Duplicate, "cs_2", FILE, None)], "its own subject: money came twice");
        let one = charge(Some(there()), Some(Recorded { posted: None, status: "EXPIRED".into(), ..here() }));
        assert_eq!(brief(&one), [(CaseKind::Status, OURS, FILE, Some(Replay::Checkout))]);
        assert!(one[0].detail.contains("EXPIRED"));
    }

    #[test]
    fn what_is_booked_nowhere_says_what_it_is() {
        let note = "adjustment (dispute) of du_1, money out".to_owned();
        let one = found(Subject::Other, Some(AtProvider { psp_id: "txn_1".into(), note, ..there() }), None);
        assert_eq!(brief(&one), [(CaseKind::MissingHere, "txn_1", FILE, None)]);
        assert!(one[0].detail.ends_with("book: adjustment (dispute) of du_1, money out"), "{}", one[0].detail);
    }

    #[test]
    fn amounts_of_other_currencies_are_not_compared_and_a_duplicate_hides_nothing() {
        let both =
            found(Subject::Charge, Some(AtProvider { copies: 3, sum: (1, "USD".into()), ..there() }), Some(here()));
        assert_eq!(both.iter().map(|f| f.kind).collect::<Vec<_>>(), [CaseKind::Duplicate, CaseKind::Currency]);
    }

    #[test]
    fn what_is_written_down_as_moved_and_not_posted_is_to_be_posted_and_not_asked_for() {
        for (subject, status) in [
            (Subject::Charge, "PAID"),
            (Subject::Charge, "REFUNDING"),
            (Subject::Charge, "REFUNDED"),
            (Subject::Refund, "SUCCEEDED"),
        ] {
            let one = found(subject, Some(there()), Some(Recorded { posted: None, status: status.into(), ..here() }));
            assert_eq!(brief(&one), [(CaseKind::Status, OURS, FILE, None)]);
            assert!(one[0].detail.contains(status) && one[0].detail.contains("not in the ledger"), "{}", one[0].detail);
        }
    }

    #[test]
    fn replay_requires_a_session_or_id_of_the_recorded_payment() {
        let open = |psp_id: Option<&str>| Recorded {
            posted: None,
            psp_id: psp_id.map(str::to_owned),
            status: "EXPIRED".into(),
            ..here()
        };
        let replay = |subject, here| found(subject, Some(there()), Some(here))[0].replay;
        assert_eq!(replay(Subject::Charge, open(None)), Some(Replay::Checkout), "its answer was lost");
        assert_eq!(replay(Subject::Charge, open(Some("cs_9"))), None, "paid in another session");
        let without_session =
            |here| found(Subject::Charge, Some(AtProvider { session: String::new(), ..there() }), Some(here))[0].replay;
        assert_eq!(without_session(open(Some("cs_9"))), Some(Replay::Checkout), "its own session is fetched");
        assert_eq!(without_session(open(None)), None, "neither side has a session");
        assert_eq!(replay(Subject::Refund, open(None)), Some(Replay::Refund));
        for (status, expected) in [("REQUESTED", Some(Replay::Transfer)), ("FAILED", None)] {
            assert_eq!(
                replay(Subject::Transfer, Recorded { status: status.into(), ..open(None) }),
                expected,
                "{status}"
            );
        }
    }
}
