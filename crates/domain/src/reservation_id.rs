//! Reservation ids: UUIDs that contain the id of their hotel.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{Uuid, Variant};

use crate::ids::parse_uuid;
use crate::{FieldError, HotelId, IdError};

const FIELD: &str = "reservation_id";

/// SQL that creates `reservation_hotel_id(uuid) returns integer`: the hotel in the last 32 bits, whatever the UUID.
///
/// Immutable and a single expression, so that `PostgreSQL` inlines it. The migration that needs it contains a copy.
pub const RESERVATION_HOTEL_ID_FUNCTION: &str = "\
create function reservation_hotel_id(id uuid) returns integer
    language sql immutable parallel safe
    return ('x' || right(id::text, 8))::bit(32)::integer";

/// SQL condition for a CHECK on a table with `hotel_id integer not null` and `reservation_id uuid not null`: the id is
/// a `UUIDv8` of the RFC variant, created for this hotel.
pub const RESERVATION_HOTEL_ID_CHECK: &str = "\
hotel_id > 0 and hotel_id = reservation_hotel_id(reservation_id) \
and substr(reservation_id::text, 15, 1) = '8' and substr(reservation_id::text, 20, 1) in ('8', '9', 'a', 'b')";

/// The globally unique id of a reservation.
///
/// A `UUIDv8` (RFC 9562), most significant bit first:
///
/// ```text
/// bits   0..48   Unix time in milliseconds
/// bits  48..52   version, 8
/// bits  52..64   random
/// bits  64..66   variant, binary 10
/// bits  66..96   random
/// bits  96..128  hotel_id, positive, so bit 96 is zero
/// ```
///
/// Ids sort by creation time, have 42 random bits per millisecond and hotel, and end in eight hex digits that are the
/// hotel: the id alone determines the shard. The hotel is at the end because there the bits are not split by version and
/// variant, so that SQL and humans can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct ReservationId {
    id: Uuid,
    /// Decoded when the id was validated, so that reading it cannot fail.
    hotel_id: HotelId,
}

impl ReservationId {
    /// A new id for a reservation of this hotel. A clock before 1970 counts as 1970: the 48 bits hold no negative time, and
    /// the id stays unique by its random bits.
    pub fn generate(hotel_id: HotelId, now: Timestamp) -> Self {
        let millis = now.as_millisecond().max(0).cast_unsigned();
        let mut bytes: [u8; 16] = rand::random();
        bytes[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        bytes[12..].copy_from_slice(&hotel_id.get().to_be_bytes());
        Self { id: Uuid::new_v8(bytes), hotel_id }
    }

    /// The hotel this reservation is for.
    pub const fn hotel_id(self) -> HotelId {
        self.hotel_id
    }

    /// Creation time of the id, in milliseconds. Not the age of a booking: order bookings by their creation time.
    pub fn timestamp(self) -> Timestamp {
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(&self.id.as_bytes()[..6]);
        // 48 bits reach the year 10889, a timestamp ends with 9999.
        i64::try_from(u64::from_be_bytes(millis))
            .ok()
            .and_then(|millis| Timestamp::from_millisecond(millis).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// The UUID, for the database.
    pub const fn as_uuid(self) -> Uuid {
        self.id
    }

    /// This id, if it belongs to the hotel of the request.
    ///
    /// # Errors
    /// A violation of `reservation_id` otherwise.
    pub fn require_hotel(self, hotel_id: HotelId) -> Result<Self, FieldError> {
        if self.hotel_id == hotel_id {
            Ok(self)
        } else {
            Err(FieldError::new(FIELD, format!("belongs to another hotel than {hotel_id}")))
        }
    }
}

impl TryFrom<Uuid> for ReservationId {
    type Error = IdError;

    fn try_from(id: Uuid) -> Result<Self, IdError> {
        let [.., a, b, c, d] = id.into_bytes();
        match HotelId::try_from(i32::from_be_bytes([a, b, c, d])) {
            Ok(hotel_id) if id.get_version_num() == 8 && id.get_variant() == Variant::RFC4122 => {
                Ok(Self { id, hotel_id })
            }
            _ => Err(IdError::NotReservationId { field: FIELD }),
        }
    }
}

impl From<ReservationId> for Uuid {
    fn from(id: ReservationId) -> Uuid {
        id.id
    }
}

impl FromStr for ReservationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        parse_uuid(text, FIELD)?.try_into()
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hotel(id: i32) -> HotelId {
        HotelId::try_from(id).unwrap()
    }

    #[test]
    fn bits_are_laid_out_as_documented() {
        let now = Timestamp::from_millisecond(0x0123_4567_89ab).unwrap();
        let text = ReservationId::generate(hotel(0x7bcd_ef01), now).to_string();
        assert!(text.starts_with("01234567-89ab-8"), "{text}");
        assert!(text.ends_with("7bcdef01"), "{text}");
        assert!("89ab".contains(&text[19..20]), "{text}");
    }

    #[test]
    fn other_uuids_are_refused() {
        let good = ReservationId::generate(hotel(42), Timestamp::UNIX_EPOCH).to_string();
        let mut wrong_version = good.clone();
        wrong_version.replace_range(14..15, "7");
        let mut wrong_variant = good.clone();
        wrong_variant.replace_range(19..20, "c");
        let mut no_hotel = good.clone();
        no_hotel.replace_range(28.., "00000000");
        let mut negative_hotel = good.clone();
        negative_hotel.replace_range(28.., "ffffffff");
        for text in [wrong_version, wrong_variant, no_hotel, negative_hotel, Uuid::nil().to_string()] {
            assert_eq!(text.parse::<ReservationId>(), Err(IdError::NotReservationId { field: FIELD }), "{text}");
        }
        assert_eq!("42".parse::<ReservationId>(), Err(IdError::NotUuid { field: FIELD }));
    }

    #[test]
    fn clock_before_1970_counts_as_1970() {
        let id = ReservationId::generate(hotel(1), Timestamp::MIN);
        assert_eq!(id.timestamp(), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn require_hotel_refuses_another_hotel() {
        let id = ReservationId::generate(hotel(42), Timestamp::UNIX_EPOCH);
        assert_eq!(id.require_hotel(hotel(42)), Ok(id));
        assert_eq!(id.require_hotel(hotel(43)).unwrap_err().field, "reservation_id");
    }

    #[test]
    fn ids_of_one_millisecond_are_unique() {
        let ids: std::collections::HashSet<_> =
            (0..10_000).map(|_| ReservationId::generate(hotel(1), Timestamp::UNIX_EPOCH)).collect();
        assert_eq!(ids.len(), 10_000);
    }

    proptest! {
        #[test]
        fn hotel_and_time_round_trip(id in 1..=i32::MAX, millis in 0..253_402_207_200_000_i64) {
            let now = Timestamp::from_millisecond(millis).unwrap();
            let made = ReservationId::generate(hotel(id), now);
            prop_assert_eq!(made.hotel_id(), hotel(id));
            prop_assert_eq!(made.timestamp(), now);
            prop_assert_eq!(made.to_string().parse(), Ok(made));
        }

        #[test]
        fn ids_sort_by_time(millis in 0..253_402_207_200_000_i64, a in 1..=i32::MAX, b in 1..=i32::MAX) {
            let at = |millis| Timestamp::from_millisecond(millis).unwrap();
            let (early, late) = (ReservationId::generate(hotel(a), at(millis)), ReservationId::generate(hotel(b), at(millis + 1)));
            prop_assert!(early < late && early.to_string() < late.to_string());
        }

        #[test]
        fn accepted_uuid_has_hotel_and_timestamp(bytes in any::<[u8; 16]>()) {
            if let Ok(id) = ReservationId::try_from(Uuid::new_v8(bytes)) {
                prop_assert!(id.hotel_id().get() > 0);
                let _ = id.timestamp();
            }
        }
    }
}
