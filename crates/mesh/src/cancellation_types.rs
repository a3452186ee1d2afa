//! Conversions between `staymesh.rate.v1.CancellationTerms` and the domain's
//! [`CancellationTerms`](staymesh_domain::CancellationTerms).

use jiff::Timestamp;
use prost_types::Timestamp as ProtoTimestamp;
use staymesh_api::{
    rate::v1::{self as proto, penalty::Kind},
    r#type::v1::Money as ProtoMoney,
};
use staymesh_domain::{CancellationTerms, Currency, Deadline, EarlyDeparture, Grace, Money, Penalty, PenaltyBase};

use crate::proto_types::{money, money_from, timestamp};

/// A part of the terms that is missing, or that contradicts another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cancellation terms have no usable {0}")]
pub struct TermsError(&'static str);

/// The terms of an offer.
pub fn cancellation_terms(terms: &CancellationTerms) -> proto::CancellationTerms {
    let grace =
        |grace: Grace| proto::GracePeriod { hours: grace.hours, booked_before: Some(timestamp(grace.booked_before)) };
    proto::CancellationTerms {
        deadlines: terms.deadlines.iter().map(deadline).collect(),
        refundable: terms.is_refundable(),
        grace_period: terms.grace.map(grace),
        cancel_before: Some(timestamp(terms.cancel_before)),
        no_show_penalty: Some(money(terms.no_show)),
        no_show_from: Some(timestamp(terms.no_show_from)),
        no_show_until: Some(timestamp(terms.no_show_until)),
        early_departure: early_departure(terms.early_departure),
    }
}

/// How much of a price is kept.
pub fn penalty(penalty: Penalty) -> proto::Penalty {
    let kind = match penalty {
        Penalty::None => Kind::BasisPoints(0),
        Penalty::Percent(basis_points) => Kind::BasisPoints(basis_points),
        Penalty::Full => Kind::BasisPoints(Penalty::ALL),
        Penalty::Nights(nights) => Kind::Nights(nights),
        Penalty::Fixed(amount) => Kind::Fixed(money(amount)),
    };
    proto::Penalty { kind: Some(kind) }
}

/// The rule for guests who leave early; `None` if all is kept.
fn early_departure(rule: EarlyDeparture) -> Option<proto::EarlyDeparture> {
    let base = match rule.base {
        PenaltyBase::WithTaxes => proto::PenaltyBase::WithTaxes,
        PenaltyBase::WithoutTaxes => proto::PenaltyBase::WithoutTaxes,
    };
    let message = proto::EarlyDeparture { penalty: Some(penalty(rule.penalty)), penalty_base: base.into() };
    (rule != EarlyDeparture::default()).then_some(message)
}

/// The terms of a booking made at `booked`: its grace period is the first of the deadlines.
pub fn cancellation_terms_of_booking(terms: &CancellationTerms, booked: Timestamp) -> proto::CancellationTerms {
    proto::CancellationTerms {
        deadlines: terms.deadlines_of(booked).iter().map(deadline).collect(),
        grace_period: None,
        ..cancellation_terms(terms)
    }
}

/// Parses terms whose amounts are in `currency`.
///
/// # Errors
/// [`TermsError`] if a part is missing, an amount is negative or in another currency, the deadlines are not in order, a
/// penalty falls, or the last deadline ends.
pub fn cancellation_terms_from(
    terms: &proto::CancellationTerms,
    currency: Currency,
) -> Result<CancellationTerms, TermsError> {
    let deadlines = terms.deadlines.iter().map(|deadline| {
        let until = deadline.deadline.as_ref().map(|until| instant(Some(until), "deadline")).transpose()?;
        Ok(Deadline { until, penalty: amount(deadline.penalty.as_ref(), currency, "penalty")? })
    });
    let deadlines = deadlines.collect::<Result<Vec<_>, TermsError>>()?;
    let no_show = amount(terms.no_show_penalty.as_ref(), currency, "no_show_penalty")?;
    require_order(&deadlines, no_show)?;
    let grace = terms.grace_period.as_ref().map(|grace| {
        Ok(Grace { hours: grace.hours, booked_before: instant(grace.booked_before.as_ref(), "grace_period")? })
    });
    Ok(CancellationTerms {
        deadlines,
        grace: grace.transpose()?,
        cancel_before: instant(terms.cancel_before.as_ref(), "cancel_before")?,
        no_show,
        no_show_from: instant(terms.no_show_from.as_ref(), "no_show_from")?,
        no_show_until: instant(terms.no_show_until.as_ref(), "no_show_until")?,
        early_departure: match &terms.early_departure {
            Some(rule) => early_departure_from(rule, currency)?,
            // From a service of the release before, too, which has no rule.
            None => EarlyDeparture::default(),
        },
    })
}

fn early_departure_from(rule: &proto::EarlyDeparture, currency: Currency) -> Result<EarlyDeparture, TermsError> {
    const PART: TermsError = TermsError("early_departure");
    let base = match rule.penalty_base() {
        proto::PenaltyBase::WithTaxes => PenaltyBase::WithTaxes,
        proto::PenaltyBase::WithoutTaxes => PenaltyBase::WithoutTaxes,
        proto::PenaltyBase::Unspecified => return Err(PART),
    };
    let penalty = match rule.penalty.as_ref().and_then(|penalty| penalty.kind.as_ref()).ok_or(PART)? {
        Kind::BasisPoints(0) => Penalty::None,
        Kind::BasisPoints(Penalty::ALL) => Penalty::Full,
        Kind::BasisPoints(share @ 1..Penalty::ALL) => Penalty::Percent(*share),
        Kind::Nights(nights @ 1..) => Penalty::Nights(*nights),
        Kind::Fixed(fixed) => Penalty::Fixed(amount(Some(fixed), currency, "early_departure")?),
        _ => return Err(PART),
    };
    Ok(EarlyDeparture { penalty, base })
}

fn require_order(deadlines: &[Deadline], no_show: Money) -> Result<(), TermsError> {
    let in_order = deadlines.windows(2).all(|pair| match pair {
        [before, next] => {
            before.until.is_some_and(|until| next.until.is_none_or(|next| until < next))
                && before.penalty.minor() <= next.penalty.minor()
        }
        _ => true,
    });
    let last = deadlines.last().ok_or(TermsError("deadlines"))?;
    let ends_well = last.until.is_none() && last.penalty.minor() <= no_show.minor();
    if in_order && ends_well { Ok(()) } else { Err(TermsError("order of deadlines")) }
}

fn deadline(deadline: &Deadline) -> proto::CancellationDeadline {
    proto::CancellationDeadline { deadline: deadline.until.map(timestamp), penalty: Some(money(deadline.penalty)) }
}

fn instant(time: Option<&ProtoTimestamp>, part: &'static str) -> Result<Timestamp, TermsError> {
    let time = time.ok_or(TermsError(part))?;
    Timestamp::new(time.seconds, time.nanos).map_err(|_| TermsError(part))
}

fn amount(amount: Option<&ProtoMoney>, currency: Currency, part: &'static str) -> Result<Money, TermsError> {
    let amount = money_from(amount, part).map_err(|_| TermsError(part))?;
    let usable = amount.currency() == currency && !amount.is_negative();
    usable.then_some(amount).ok_or(TermsError(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn eur() -> Currency {
        "EUR".parse().expect("a currency")
    }

    fn terms() -> CancellationTerms {
        let euros = |minor| Money::from_minor(minor, eur()).expect("an amount");
        CancellationTerms {
            deadlines: vec![
                Deadline { until: Some(at("2027-03-27T18:00:00Z")), penalty: euros(0) },
                Deadline { until: Some(at("2027-03-28T18:00:00.5Z")), penalty: euros(5_000) },
                Deadline { until: None, penalty: euros(8_000) },
            ],
            grace: Some(Grace { hours: 4, booked_before: at("2027-03-27T14:00:00Z") }),
            cancel_before: at("2027-03-29T23:00:00Z"),
            no_show: euros(10_000),
            no_show_from: at("2027-03-29T23:00:00Z"),
            no_show_until: at("2027-04-01T23:00:00Z"),
            early_departure: EarlyDeparture { penalty: Penalty::Nights(1), base: PenaltyBase::WithoutTaxes },
        }
    }

    #[test]
    fn terms_survive_the_conversion() {
        let sent = cancellation_terms(&terms());
        assert!(sent.refundable);
        assert_eq!(cancellation_terms_from(&sent, eur()), Ok(terms()));
        for penalty in [Penalty::None, Penalty::Percent(5_000), Penalty::Full, Penalty::Fixed(terms().no_show)] {
            let rule = EarlyDeparture { penalty, base: PenaltyBase::WithTaxes };
            let terms = CancellationTerms { early_departure: rule, ..terms() };
            assert_eq!(cancellation_terms_from(&cancellation_terms(&terms), eur()), Ok(terms));
        }
    }

    #[test]
    fn terms_of_a_booking_list_its_grace_period() {
        let strict = CancellationTerms { deadlines: terms().deadlines.split_off(2), ..terms() };
        let booked = cancellation_terms_of_booking(&strict, at("2027-03-01T10:00:00Z"));
        let kept: Vec<_> = booked.deadlines.iter().map(|of| (of.deadline, of.penalty.clone())).collect();
        let free = (Some(timestamp(at("2027-03-01T14:00:00Z"))), Some(money(Money::zero(eur()))));
        assert_eq!(kept[0], free);
        assert_eq!((booked.deadlines.len(), booked.grace_period, booked.refundable), (2, None, false));
    }

    #[test]
    fn terms_that_contradict_themselves_are_an_error() {
        let broken = |change: fn(&mut proto::CancellationTerms)| {
            let mut sent = cancellation_terms(&terms());
            change(&mut sent);
            cancellation_terms_from(&sent, eur()).expect_err("refused").to_string()
        };
        assert!(broken(|terms| terms.deadlines.clear()).ends_with("deadlines"));
        assert!(broken(|terms| terms.deadlines.swap(0, 1)).ends_with("order of deadlines"));
        assert!(broken(|terms| terms.deadlines.truncate(2)).ends_with("order of deadlines"));
        assert!(broken(|terms| terms.deadlines[1].penalty = None).ends_with("penalty"));
        assert!(broken(|terms| terms.no_show_until = None).ends_with("no_show_until"));
        assert!(
            broken(|terms| terms.early_departure = Some(proto::EarlyDeparture::default())).ends_with("early_departure")
        );
        let dollars = "USD".parse().expect("a currency");
        assert!(cancellation_terms_from(&cancellation_terms(&terms()), dollars).is_err());
    }
}
