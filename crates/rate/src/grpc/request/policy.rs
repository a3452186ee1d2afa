//! Cancellation policies in requests.

use jiff::civil::Time;
use staymesh_api::rate::v1::{self as proto, cancellation_tier::Deadline, penalty::Kind};
use staymesh_domain::{
    Anchor, CancellationPolicy, DateRange, Exceptions, FieldError, FieldErrors, Penalty, PenaltyBase, Tier, Until,
    parse_local_time,
};

use super::price;

/// Most entries that are read; the policy says how many are allowed.
const MAX_ENTRIES: usize = CancellationPolicy::MAX_NON_REFUNDABLE + 1;

/// The cancellation policy. Required: a default would decide refunds for the hotel.
pub(super) fn policy(
    errors: &mut FieldErrors,
    field: &str,
    policy: Option<proto::CancellationPolicy>,
) -> Option<CancellationPolicy> {
    errors.holds(policy.is_some(), field, "is required");
    let mut own = FieldErrors::default();
    let policy = read(&mut own, &policy?);
    own.all(policy.validate());
    let valid = own.is_empty();
    errors.extend_under(field, own);
    valid.then_some(policy)
}

/// Parses the policy. A field that cannot be parsed gets a valid value in its place, so that validation names every other
/// wrong field as well.
fn read(errors: &mut FieldErrors, policy: &proto::CancellationPolicy) -> CancellationPolicy {
    let base = match policy.penalty_base() {
        proto::PenaltyBase::WithoutTaxes => PenaltyBase::WithoutTaxes,
        proto::PenaltyBase::Unspecified | proto::PenaltyBase::WithTaxes => PenaltyBase::WithTaxes,
    };
    let known = proto::PenaltyBase::try_from(policy.penalty_base).is_ok();
    errors.holds(known, "penalty_base", "must be a known value");
    let tiers = policy.tiers.iter().enumerate().take(MAX_ENTRIES);
    let tiers = tiers.map(|(i, of)| tier(errors, &format!("tiers[{i}]"), of)).collect();
    let no_show = policy.no_show_penalty.as_ref().and_then(|of| penalty(errors, "no_show_penalty", of));
    let early = policy.early_departure_penalty.as_ref();
    let early_departure = early.and_then(|of| penalty(errors, "early_departure_penalty", of));
    let ranges = policy.non_refundable.iter().enumerate().take(MAX_ENTRIES);
    let non_refundable = ranges
        .filter_map(|(i, range)| {
            let mut own = FieldErrors::default();
            let read = DateRange::collect(&mut own, &range.from_date, &range.until_date);
            errors.extend_under(&format!("non_refundable[{i}]"), own);
            read
        })
        .collect();
    let same_day_until = match policy.same_day_until.as_str() {
        "" => None,
        until => local_time(errors, "same_day_until", until),
    };
    CancellationPolicy {
        tiers,
        no_show,
        same_day_until,
        base,
        exceptions: Exceptions {
            free_hours_after_booking: policy.free_hours_after_booking,
            free_weeks_before: policy.free_weeks_before,
        },
        non_refundable,
        early_departure,
    }
}

fn tier(errors: &mut FieldErrors, field: &str, tier: &proto::CancellationTier) -> Tier {
    let until = match &tier.deadline {
        None => Until::Always,
        Some(Deadline::DaysBefore(before)) => {
            let at = if before.at.is_empty() { "00:00" } else { &before.at };
            let at = local_time(errors, &format!("{field}.days_before.at"), at);
            Until::DaysBefore { days: before.days, at: at.unwrap_or_default() }
        }
        Some(Deadline::HoursBefore(before)) => {
            let anchor = match before.anchor() {
                proto::Anchor::ArrivalTime => Some(Anchor::ArrivalTime),
                proto::Anchor::StartOfDay => Some(Anchor::StartOfDay),
                proto::Anchor::Unspecified => None,
            };
            let name = format!("{field}.hours_before.anchor");
            errors.holds(anchor.is_some(), name, "must be ANCHOR_ARRIVAL_TIME or ANCHOR_START_OF_DAY");
            Until::HoursBefore { hours: before.hours, anchor: anchor.unwrap_or(Anchor::StartOfDay) }
        }
    };
    let name = format!("{field}.penalty");
    errors.holds(tier.penalty.is_some(), &name, "is required");
    let penalty = tier.penalty.as_ref().and_then(|of| penalty(errors, &name, of));
    Tier { until, penalty: penalty.unwrap_or(Penalty::None) }
}

fn local_time(errors: &mut FieldErrors, field: &str, text: &str) -> Option<Time> {
    errors.value(parse_local_time(text).map_err(|error| FieldError::new(field, error.to_string())))
}

fn penalty(errors: &mut FieldErrors, field: &str, penalty: &proto::Penalty) -> Option<Penalty> {
    match &penalty.kind {
        None => {
            errors.push(FieldError::new(field, "must have basis_points, nights or fixed"));
            None
        }
        Some(Kind::BasisPoints(0)) => Some(Penalty::None),
        Some(Kind::BasisPoints(Penalty::ALL)) => Some(Penalty::Full),
        Some(Kind::BasisPoints(basis_points)) => Some(Penalty::Percent(*basis_points)),
        Some(Kind::Nights(nights)) => Some(Penalty::Nights(*nights)),
        Some(Kind::Fixed(amount)) => errors.value(price(Some(amount), &format!("{field}.fixed"))).map(Penalty::Fixed),
    }
}
