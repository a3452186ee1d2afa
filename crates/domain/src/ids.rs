//! Typed ids of hotels, room types, rooms, users and payments.
//!
//! Hotels, room types and rooms have positive 32-bit numbers: four bytes in 73 million inventory rows, and plain JSON
//! numbers at the edge. Users and payments have `UUIDv7`: unique without coordination, and ascending with creation time, which
//! keeps recent index pages in the cache.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::FieldError;

/// Why an id is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A numeric id that is zero or negative.
    #[error("must be positive, not {value}")]
    NotPositive {
        /// The usual field of the id, such as `hotel_id`.
        field: &'static str,
        /// The invalid number.
        value: i32,
    },
    /// Text that is not a UUID of 36 characters with hyphens.
    #[error("must be a UUID such as 0192f0c1-7a2b-7c3d-9e4f-5a6b7c8d9e0f")]
    NotUuid {
        /// The usual field of the id, such as `user_id`.
        field: &'static str,
    },
    /// A UUID without the inner structure of a reservation id.
    #[error("must be a reservation id as handed out with an offer")]
    NotReservationId {
        /// The usual field of the id, `reservation_id`.
        field: &'static str,
    },
}

impl IdError {
    /// The request field that usually holds such an id.
    pub fn field(&self) -> &'static str {
        match self {
            Self::NotPositive { field, .. } | Self::NotUuid { field } | Self::NotReservationId { field } => field,
        }
    }

    /// This error, reported for the request field of this name.
    pub fn at(&self, field: impl Into<String>) -> FieldError {
        FieldError::new(field, self.to_string())
    }
}

impl From<IdError> for FieldError {
    fn from(error: IdError) -> Self {
        error.at(error.field())
    }
}

/// Parses the canonical spelling, 8-4-4-4-12 hex digits. The `uuid` crate also accepts braces, URNs and bare digits, but an
/// id must have one spelling only.
pub(crate) fn parse_uuid(text: &str, field: &'static str) -> Result<Uuid, IdError> {
    if text.len() != 36 {
        return Err(IdError::NotUuid { field });
    }
    Uuid::try_parse(text).map_err(|_| IdError::NotUuid { field })
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "i32", into = "i32")]
        pub struct $name(i32);

        impl $name {
            /// The number, always positive.
            pub const fn get(self) -> i32 {
                self.0
            }
        }

        impl TryFrom<i32> for $name {
            type Error = IdError;

            fn try_from(value: i32) -> Result<Self, IdError> {
                if value > 0 { Ok(Self(value)) } else { Err(IdError::NotPositive { field: $field, value }) }
            }
        }

        impl From<$name> for i32 {
            fn from(id: $name) -> i32 {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id!(
    /// A hotel; the same number in every service.
    HotelId,
    "hotel_id"
);
number_id!(
    /// A room type, unique across hotels.
    RoomTypeId,
    "room_type_id"
);
number_id!(
    /// One physical room.
    RoomId,
    "room_id"
);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id; ascends with creation time.
            #[expect(clippy::new_without_default, reason = "two defaults would differ")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The UUID, for the database.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_uuid(text, $field).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// The account of a person: guest, staff or administrator.
    UserId,
    "user_id"
);
uuid_id!(
    /// A payment of a reservation.
    PaymentId,
    "payment_id"
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn not_positive_number_names_its_field() {
        for value in [0, -1, i32::MIN] {
            let error = FieldError::from(RoomTypeId::try_from(value).unwrap_err());
            assert_eq!(error, FieldError::new("room_type_id", format!("must be positive, not {value}")));
        }
        assert_eq!(HotelId::try_from(-7).unwrap_err().at("hotel.id").field, "hotel.id");
    }

    #[test]
    fn uuid_has_one_spelling() {
        let id = UserId::new();
        let canonical = id.to_string();
        assert_eq!(canonical.parse(), Ok(id));
        let bare = canonical.replace('-', "");
        for other in ["", "x", &bare, &format!("{{{canonical}}}"), &format!("urn:uuid:{canonical}"), &"é".repeat(18)] {
            assert_eq!(other.parse::<UserId>().unwrap_err().field(), "user_id", "{other}");
        }
    }

    #[test]
    fn new_ids_are_version_7_and_ascend() {
        let ids: Vec<_> = (0..1000).map(|_| PaymentId::new()).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids[0].as_uuid().get_version_num(), 7);
    }

    proptest! {
        #[test]
        fn number_ids_round_trip_through_json(value in 1..=i32::MAX) {
            let id = HotelId::try_from(value).unwrap();
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(&json, &value.to_string());
            prop_assert_eq!(serde_json::from_str::<HotelId>(&json).unwrap(), id);
        }

        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = text.parse::<PaymentId>();
        }
    }

    #[test]
    fn json_with_an_invalid_number_is_refused() {
        assert!(serde_json::from_str::<HotelId>("0").is_err());
    }
}
