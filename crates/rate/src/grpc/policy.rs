//! Renders cancellation policies as messages of the contract.

use staymesh_api::rate::v1::{self as proto, cancellation_tier::Deadline};
use staymesh_domain::{
    Anchor, CancellationPolicy, DateRange, PenaltyBase, Tier, Until, format_date, format_local_time,
};
use staymesh_mesh::cancellation_types::penalty;

/// The policy.
pub(super) fn message(policy: CancellationPolicy) -> proto::CancellationPolicy {
    let base = match policy.base {
        PenaltyBase::WithTaxes => proto::PenaltyBase::WithTaxes,
        PenaltyBase::WithoutTaxes => proto::PenaltyBase::WithoutTaxes,
    };
    proto::CancellationPolicy {
        tiers: policy.tiers.into_iter().map(tier).collect(),
        no_show_penalty: policy.no_show.map(penalty),
        same_day_until: policy.same_day_until.map(format_local_time).unwrap_or_default(),
        penalty_base: base.into(),
        free_hours_after_booking: policy.exceptions.free_hours_after_booking,
        free_weeks_before: policy.exceptions.free_weeks_before,
        non_refundable: policy.non_refundable.into_iter().map(range).collect(),
        early_departure_penalty: policy.early_departure.map(penalty),
    }
}

fn tier(tier: Tier) -> proto::CancellationTier {
    let deadline = match tier.until {
        Until::DaysBefore { days, at } => {
            Some(Deadline::DaysBefore(proto::DaysBefore { days, at: format_local_time(at) }))
        }
        Until::HoursBefore { hours, anchor } => {
            let anchor = match anchor {
                Anchor::ArrivalTime => proto::Anchor::ArrivalTime,
                Anchor::StartOfDay => proto::Anchor::StartOfDay,
            };
            Some(Deadline::HoursBefore(proto::HoursBefore { hours, anchor: anchor.into() }))
        }
        Until::Always => None,
    };
    proto::CancellationTier { deadline, penalty: Some(penalty(tier.penalty)) }
}

fn range(range: DateRange) -> proto::NightRange {
    proto::NightRange { from_date: format_date(range.from()), until_date: format_date(range.until()) }
}
