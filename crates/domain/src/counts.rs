//! Numbers of rooms and guests of one booking, within fixed limits, and the conversion of counts for metrics.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// A count outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be from 1 to {max}, not {value}")]
pub struct CountError {
    field: &'static str,
    max: i32,
    value: i32,
}

impl CountError {
    /// This error, reported for the request field of this name.
    pub fn at(&self, field: impl Into<String>) -> FieldError {
        FieldError::new(field, self.to_string())
    }
}

impl From<CountError> for FieldError {
    fn from(error: CountError) -> Self {
        error.at(error.field)
    }
}

macro_rules! count {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i32", into = "i32")]
        pub struct $name(i32);

        impl $name {
            /// The largest number in one booking.
            pub const MAX: i32 = $max;
            /// One.
            pub const ONE: Self = Self(1);

            /// The number, from 1 to [`Self::MAX`].
            pub const fn get(self) -> i32 {
                self.0
            }
        }

        impl TryFrom<i32> for $name {
            type Error = CountError;

            fn try_from(value: i32) -> Result<Self, CountError> {
                if (1..=Self::MAX).contains(&value) {
                    Ok(Self(value))
                } else {
                    Err(CountError { field: $field, max: Self::MAX, value })
                }
            }
        }

        impl From<$name> for i32 {
            fn from(count: $name) -> i32 {
                count.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

count!(
    /// Number of rooms of one booking, 1 to 50. Larger groups negotiate an allotment; the limit keeps one request from
    /// taking all rooms of a hotel.
    RoomCount,
    "rooms",
    50
);
count!(
    /// Number of guests of one booking over all its rooms, 1 to 200.
    GuestCount,
    "guests",
    200
);

/// A count as `i64`, for gauges and counters of metrics only: a count beyond `i64::MAX` saturates, because a metric must not
/// fail the work that it measures. Conversions of money, dates and quantities must return an error instead.
pub const fn metric_count(count: u64) -> i64 {
    const MAX: u64 = i64::MAX.cast_unsigned();
    if count > MAX { i64::MAX } else { count.cast_signed() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn count_out_of_range_names_field_and_range() {
        for value in [0, -1, 51, 10_000, i32::MIN, i32::MAX] {
            let error = FieldError::from(RoomCount::try_from(value).unwrap_err());
            assert_eq!(error, FieldError::new("rooms", format!("must be from 1 to 50, not {value}")));
        }
        assert_eq!(FieldError::from(GuestCount::try_from(201).unwrap_err()).field, "guests");
        assert_eq!(GuestCount::try_from(0).unwrap_err().at("adults").field, "adults");
    }

    #[test]
    fn metric_count_saturates() {
        assert_eq!(metric_count(7), 7);
        assert_eq!(metric_count(u64::MAX), i64::MAX);
    }

    proptest! {
        #[test]
        fn counts_in_range_are_kept(rooms in 1..=50, guests in 1..=200) {
            prop_assert_eq!(RoomCount::try_from(rooms).unwrap().get(), rooms);
            prop_assert_eq!(GuestCount::try_from(guests).unwrap().get(), guests);
        }
    }
}
