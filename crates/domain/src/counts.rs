//! How many rooms and how many guests one booking may be for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::FieldError;

/// Why a count was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be from 1 to {max}, not {value}")]
pub struct CountError {
    field: &'static str,
    max: i32,
    value: i32,
}

impl CountError {
    /// This error, for a count in a field of another name.
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
            /// The most one booking may have.
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
    /// Rooms of one booking. Larger groups negotiate an allotment; a cap keeps one request from emptying a hotel.
    RoomCount,
    "rooms",
    50
);
count!(
    /// Guests of one booking, over all its rooms.
    GuestCount,
    "guests",
    200
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn out_of_range_names_the_field_and_the_range() {
        for value in [0, -1, 51, 10_000, i32::MIN, i32::MAX] {
            let error = FieldError::from(RoomCount::try_from(value).unwrap_err());
            assert_eq!(error, FieldError::new("rooms", format!("must be from 1 to 50, not {value}")));
        }
        assert_eq!(FieldError::from(GuestCount::try_from(201).unwrap_err()).field, "guests");
        assert_eq!(GuestCount::try_from(0).unwrap_err().at("adults").field, "adults");
    }

    proptest! {
        #[test]
        fn everything_in_range_is_kept(rooms in 1..=50, guests in 1..=200) {
            prop_assert_eq!(RoomCount::try_from(rooms).unwrap().get(), rooms);
            prop_assert_eq!(GuestCount::try_from(guests).unwrap().get(), guests);
        }
    }
}
