//! Hotels, room types and rooms as the service keeps them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::mask::Mask;

/// What an etag shows of a row: it differs between rows and between the states of one row.
pub(crate) fn etag(id: i32, version: i64) -> String {
    format!("{id:x}-{version:x}")
}

/// When something was made and last changed.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Times {
    /// When it was made.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub create_time: Timestamp,
    /// When it last changed.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub update_time: Timestamp,
}

/// A hotel of the chain.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct Hotel {
    /// The hotel.
    pub hotel_id: i32,
    /// What its rooms are priced in; fixed.
    pub currency_code: String,
    /// What staff can change.
    #[sqlx(flatten)]
    pub fields: HotelFields,
    /// Counts the changes.
    pub version: i64,
    /// When it was made and last changed.
    #[sqlx(flatten)]
    pub times: Times,
}

/// What staff can change about a hotel.
#[derive(Debug, Clone, PartialEq, FromRow)]
#[expect(missing_docs, reason = "the contract's Hotel and Address say what each is")]
pub struct HotelFields {
    pub display_name: String,
    pub description: String,
    pub street: String,
    pub city: String,
    pub postal_code: String,
    pub country_code: String,
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub time_zone: String,
    pub star_rating: i32,
    pub amenities: Vec<String>,
    pub photo_urls: Vec<String>,
}

/// A kind of room that is sold as one.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RoomType {
    /// The hotel.
    pub hotel_id: i32,
    /// The room type.
    pub room_type_id: i32,
    /// What staff can change.
    #[sqlx(flatten)]
    pub fields: RoomTypeFields,
    /// Counts the changes.
    pub version: i64,
    /// When it was made and last changed.
    #[sqlx(flatten)]
    pub times: Times,
}

/// What staff can change about a room type.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[expect(missing_docs, reason = "the contract's RoomType says what each is")]
pub struct RoomTypeFields {
    pub display_name: String,
    pub description: String,
    #[sqlx(json)]
    pub beds: Vec<Bed>,
    pub max_occupancy: i32,
    pub amenities: Vec<String>,
    pub photo_urls: Vec<String>,
}

/// Beds of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bed {
    /// A `BedKind` of the contract.
    pub kind: i32,
    /// How many.
    pub count: i32,
}

/// A room with a door and a number.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Room {
    /// The hotel.
    pub hotel_id: i32,
    /// The room.
    pub room_id: i32,
    /// What staff can change.
    #[sqlx(flatten)]
    pub fields: RoomFields,
    /// Counts the changes.
    pub version: i64,
    /// When it was made and last changed.
    #[sqlx(flatten)]
    pub times: Times,
}

/// What staff can change about a room.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
#[expect(missing_docs, reason = "the contract's Room says what each is")]
pub struct RoomFields {
    pub room_type_id: i32,
    pub room_number: String,
    pub floor: i32,
}

/// What a caller wants changed, and what it is based on.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<Fields> {
    /// The new values of the fields that the mask covers.
    pub fields: Fields,
    /// Which fields to change.
    pub mask: Mask,
    /// The etag that it is based on; empty for "whatever it is now".
    pub etag: String,
}

/// Copies those of the fields which the mask covers. A field's path is its name unless another is given.
macro_rules! copy_covered {
    ($mask:expr, $from:expr, $to:expr; $($field:ident $(at $path:literal)?),+ $(,)?) => {
        $(if $mask.covers(copy_covered!(@path $field $($path)?)) { $to.$field = $from.$field; })+
    };
    (@path $field:ident) => { stringify!($field) };
    (@path $field:ident $path:literal) => { $path };
}

impl Hotel {
    /// See `Hotel.etag` of the contract.
    pub fn etag(&self) -> String {
        etag(self.hotel_id, self.version)
    }
}

impl HotelFields {
    /// Paths that an update mask may name.
    pub const CHANGEABLE: &[&'static str] = &[
        "display_name",
        "description",
        "address",
        "address.street",
        "address.city",
        "address.postal_code",
        "address.country_code",
        "location",
        "time_zone",
        "star_rating",
        "amenities",
        "photo_urls",
    ];

    /// These fields, with those that the mask covers taken from `new`.
    #[must_use]
    pub fn merged(mut self, new: Self, mask: &Mask) -> Self {
        copy_covered!(mask, new, self;
            display_name, description, street at "address.street", city at "address.city",
            postal_code at "address.postal_code", country_code at "address.country_code", latitude at "location",
            longitude at "location", time_zone, star_rating, amenities, photo_urls,
        );
        self
    }
}

impl RoomType {
    /// See `RoomType.etag` of the contract.
    pub fn etag(&self) -> String {
        etag(self.room_type_id, self.version)
    }
}

impl RoomTypeFields {
    /// Paths that an update mask may name.
    pub const CHANGEABLE: &[&'static str] =
        &["display_name", "description", "beds", "max_occupancy", "amenities", "photo_urls"];

    /// These fields, with those that the mask covers taken from `new`.
    #[must_use]
    pub fn merged(mut self, new: Self, mask: &Mask) -> Self {
        copy_covered!(mask, new, self; display_name, description, beds, max_occupancy, amenities, photo_urls);
        self
    }
}

impl Room {
    /// See `Room.etag` of the contract.
    pub fn etag(&self) -> String {
        etag(self.room_id, self.version)
    }
}

impl RoomFields {
    /// Paths that an update mask may name.
    pub const CHANGEABLE: &[&'static str] = &["room_type_id", "room_number", "floor"];

    /// These fields, with those that the mask covers taken from `new`.
    #[must_use]
    pub fn merged(mut self, new: Self, mask: &Mask) -> Self {
        copy_covered!(mask, new, self; room_type_id, room_number, floor);
        self
    }
}
