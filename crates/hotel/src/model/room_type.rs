//! Room types.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use staymesh_domain::{HotelId, Occupancy, RoomTypeId};

use super::{
    patch::apply_patch,
    version::{Times, etag},
};

/// A category of rooms that are sold as one product.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct RoomType {
    #[sqlx(try_from = "i32")]
    pub(crate) hotel_id: HotelId,
    #[sqlx(rename = "room_type_id", try_from = "i32")]
    pub(crate) id: RoomTypeId,
    #[sqlx(flatten)]
    pub(crate) fields: RoomTypeFields,
    /// Number of the current version, from 1.
    pub(crate) version: i64,
    #[sqlx(flatten)]
    pub(crate) times: Times,
}

impl RoomType {
    /// `RoomType.etag` of the contract.
    pub(crate) fn etag(&self) -> String {
        etag(self.id.get(), self.version)
    }
}

/// The fields of a room type that an update can change. `RoomType` of the contract defines each.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct RoomTypeFields {
    pub(crate) display_name: String,
    pub(crate) description: String,
    #[sqlx(json)]
    pub(crate) beds: Vec<Bed>,
    pub(crate) base_occupancy: i32,
    pub(crate) max_occupancy: i32,
    pub(crate) max_adults: i32,
    pub(crate) max_children: i32,
    pub(crate) max_infants: i32,
    pub(crate) max_extra_beds: i32,
    pub(crate) amenities: Vec<String>,
    pub(crate) photo_urls: Vec<String>,
}

/// Beds of one kind. Stored as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bed {
    /// Number of a `BedKind` of the contract.
    pub(crate) kind: i32,
    /// How many beds, 1 to 10.
    pub(crate) count: i32,
}

/// New values for fields of a room type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RoomTypePatch {
    pub(crate) display_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) beds: Option<Vec<Bed>>,
    pub(crate) base_occupancy: Option<i32>,
    pub(crate) max_occupancy: Option<i32>,
    pub(crate) max_adults: Option<i32>,
    pub(crate) max_children: Option<i32>,
    pub(crate) max_infants: Option<i32>,
    pub(crate) max_extra_beds: Option<i32>,
    pub(crate) amenities: Option<Vec<String>>,
    pub(crate) photo_urls: Option<Vec<String>>,
}

impl RoomTypeFields {
    /// These fields after `patch`.
    #[must_use]
    pub(crate) fn patched(mut self, patch: RoomTypePatch) -> Self {
        apply_patch!(patch => self;
            display_name, description, beds, base_occupancy, max_occupancy, max_adults, max_children, max_infants,
            max_extra_beds, amenities, photo_urls,
        );
        self
    }

    /// How many people one room sleeps.
    pub(crate) const fn occupancy(&self) -> Occupancy {
        Occupancy {
            base: self.base_occupancy,
            max_occupancy: self.max_occupancy,
            max_adults: self.max_adults,
            max_children: self.max_children,
            max_infants: self.max_infants,
            max_extra_beds: self.max_extra_beds,
        }
    }
}
