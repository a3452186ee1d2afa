//! Cancellation policies as `room_rate` stores them.

use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, types::Json};
use staymesh_domain::{
    Anchor, CancellationPolicy, Currency, DateRange, Exceptions, Money, Penalty, PenaltyBase, Tier, Until,
};

use super::two_numbers::TwoNumbers;
use crate::error::RateError;

/// The columns of `room_rate` that [`PolicyColumns`] reads. A policy that belongs to an earlier version of the rate is
/// left out: the release before has set the two numbers since.
macro_rules! policy_columns {
    () => {
        "free_until_hours_before, late_penalty_percent, \
         case when cancellation_policy_version = version then cancellation_policy end as cancellation_policy"
    };
}
pub(super) use policy_columns;

/// The columns of `room_rate` that state the policy.
#[derive(Debug, FromRow)]
pub(super) struct PolicyColumns {
    free_until_hours_before: i32,
    late_penalty_percent: i32,
    /// `None` unless it belongs to this version of the rate.
    cancellation_policy: Option<Json<PolicyRecord>>,
}

impl PolicyColumns {
    /// The policy of a rate in `currency`.
    ///
    /// # Errors
    /// [`RateError::StoredPolicy`] or [`RateError::StoredAmount`].
    pub(super) fn policy(self, currency: Currency) -> Result<CancellationPolicy, RateError> {
        let Self { free_until_hours_before, late_penalty_percent, cancellation_policy } = self;
        match cancellation_policy {
            Some(Json(record)) => record.policy(currency),
            None => Ok(TwoNumbers { free_until_hours_before, late_penalty_percent }.policy()),
        }
    }
}

/// The JSON form in column `cancellation_policy`. It is persisted, so it must not change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PolicyRecord {
    tiers: Vec<TierRecord>,
    no_show: Option<PenaltyRecord>,
    same_day_until: Option<Time>,
    with_taxes: bool,
    free_hours_after_booking: i32,
    free_weeks_before: i32,
    /// First night, and the date after the last.
    non_refundable: Vec<(Date, Date)>,
    /// Absent for all, so that other policies keep the form that earlier releases wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    early_departure: Option<PenaltyRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct TierRecord {
    until: UntilRecord,
    penalty: PenaltyRecord,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum UntilRecord {
    DaysBefore { days: i32, at: Time },
    HoursBeforeArrivalTime(i32),
    HoursBeforeStartOfDay(i32),
    Always,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PenaltyRecord {
    None,
    BasisPoints(i32),
    Nights(i32),
    /// Minor units, in the currency of the rate.
    FixedMinor(i64),
    Full,
}

impl PolicyRecord {
    /// The policy, of a rate in `currency`.
    ///
    /// # Errors
    /// [`RateError::StoredPolicy`].
    pub(super) fn policy(self, currency: Currency) -> Result<CancellationPolicy, RateError> {
        let tier = |tier: TierRecord| Ok(Tier { until: tier.until.into(), penalty: tier.penalty.penalty(currency)? });
        let range = |(from, until)| DateRange::new(from, until).map_err(|_| RateError::StoredPolicy);
        Ok(CancellationPolicy {
            tiers: self.tiers.into_iter().map(tier).collect::<Result<_, RateError>>()?,
            no_show: self.no_show.map(|penalty| penalty.penalty(currency)).transpose()?,
            same_day_until: self.same_day_until,
            base: if self.with_taxes { PenaltyBase::WithTaxes } else { PenaltyBase::WithoutTaxes },
            exceptions: Exceptions {
                free_hours_after_booking: self.free_hours_after_booking,
                free_weeks_before: self.free_weeks_before,
            },
            non_refundable: self.non_refundable.into_iter().map(range).collect::<Result<_, RateError>>()?,
            early_departure: self.early_departure.map(|penalty| penalty.penalty(currency)).transpose()?,
        })
    }
}

impl From<&CancellationPolicy> for PolicyRecord {
    fn from(policy: &CancellationPolicy) -> Self {
        let tier = |tier: &Tier| TierRecord { until: tier.until.into(), penalty: tier.penalty.into() };
        Self {
            tiers: policy.tiers.iter().map(tier).collect(),
            no_show: policy.no_show.map(Into::into),
            same_day_until: policy.same_day_until,
            with_taxes: policy.base == PenaltyBase::WithTaxes,
            free_hours_after_booking: policy.exceptions.free_hours_after_booking,
            free_weeks_before: policy.exceptions.free_weeks_before,
            non_refundable: policy.non_refundable.iter().map(|range| (range.from(), range.until())).collect(),
            early_departure: policy.early_departure.map(Into::into),
        }
    }
}

impl From<UntilRecord> for Until {
    fn from(until: UntilRecord) -> Self {
        match until {
            UntilRecord::DaysBefore { days, at } => Self::DaysBefore { days, at },
            UntilRecord::HoursBeforeArrivalTime(hours) => Self::HoursBefore { hours, anchor: Anchor::ArrivalTime },
            UntilRecord::HoursBeforeStartOfDay(hours) => Self::HoursBefore { hours, anchor: Anchor::StartOfDay },
            UntilRecord::Always => Self::Always,
        }
    }
}

impl From<Until> for UntilRecord {
    fn from(until: Until) -> Self {
        match until {
            Until::DaysBefore { days, at } => Self::DaysBefore { days, at },
            Until::HoursBefore { hours, anchor: Anchor::ArrivalTime } => Self::HoursBeforeArrivalTime(hours),
            Until::HoursBefore { hours, anchor: Anchor::StartOfDay } => Self::HoursBeforeStartOfDay(hours),
            Until::Always => Self::Always,
        }
    }
}

impl PenaltyRecord {
    fn penalty(self, currency: Currency) -> Result<Penalty, RateError> {
        Ok(match self {
            Self::None => Penalty::None,
            Self::BasisPoints(basis_points) => Penalty::Percent(basis_points),
            Self::Nights(nights) => Penalty::Nights(nights),
            Self::FixedMinor(minor) => {
                Penalty::Fixed(Money::from_minor(minor, currency).map_err(RateError::StoredAmount)?)
            }
            Self::Full => Penalty::Full,
        })
    }
}

impl From<Penalty> for PenaltyRecord {
    fn from(penalty: Penalty) -> Self {
        match penalty {
            Penalty::None => Self::None,
            Penalty::Percent(basis_points) => Self::BasisPoints(basis_points),
            Penalty::Nights(nights) => Self::Nights(nights),
            Penalty::Fixed(amount) => Self::FixedMinor(amount.minor()),
            Penalty::Full => Self::Full,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{date, time};

    use super::*;

    #[test]
    fn stored_form_reads_and_writes_byte_for_byte() {
        let usd: Currency = "USD".parse().unwrap();
        let policy = CancellationPolicy {
            tiers: vec![
                Tier { until: Until::DaysBefore { days: 7, at: time(18, 0, 0, 0) }, penalty: Penalty::None },
                Tier {
                    until: Until::HoursBefore { hours: 72, anchor: Anchor::ArrivalTime },
                    penalty: Penalty::Fixed(Money::from_minor(2_000, usd).unwrap()),
                },
                Tier {
                    until: Until::HoursBefore { hours: 24, anchor: Anchor::StartOfDay },
                    penalty: Penalty::Nights(1),
                },
                Tier { until: Until::Always, penalty: Penalty::Percent(8_000) },
            ],
            no_show: Some(Penalty::Full),
            same_day_until: Some(time(20, 0, 0, 0)),
            base: PenaltyBase::WithoutTaxes,
            exceptions: Exceptions { free_hours_after_booking: 4, free_weeks_before: 8 },
            non_refundable: vec![DateRange::new(date(2027, 6, 10), date(2027, 6, 12)).unwrap()],
            early_departure: Some(Penalty::Nights(1)),
        };
        let stored = concat!(
            r#"{"tiers":[{"until":{"days_before":{"days":7,"at":"18:00:00"}},"penalty":"none"},"#,
            r#"{"until":{"hours_before_arrival_time":72},"penalty":{"fixed_minor":2000}},"#,
            r#"{"until":{"hours_before_start_of_day":24},"penalty":{"nights":1}},"#,
            r#"{"until":"always","penalty":{"basis_points":8000}}],"no_show":"full","same_day_until":"20:00:00","with_taxes":false,"#,
            r#""free_hours_after_booking":4,"free_weeks_before":8,"non_refundable":[["2027-06-10","2027-06-12"]],"early_departure":{"nights":1}}"#
        );
        assert_eq!(serde_json::to_string(&PolicyRecord::from(&policy)).unwrap(), stored);
        let read: PolicyRecord = serde_json::from_str(stored).unwrap();
        assert_eq!(read.policy(usd).unwrap(), policy);
    }
}
