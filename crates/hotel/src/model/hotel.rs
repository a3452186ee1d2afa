//! Hotels.

use sqlx::FromRow;
use staymesh_domain::{AgeBand, HotelId};

use super::{
    patch::apply_patch,
    version::{Times, etag},
};

/// A hotel of the chain.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub(crate) struct Hotel {
    #[sqlx(rename = "hotel_id", try_from = "i32")]
    pub(crate) id: HotelId,
    /// ISO 4217 code of the currency its rooms are priced in; immutable.
    pub(crate) currency_code: String,
    #[sqlx(flatten)]
    pub(crate) fields: HotelFields,
    /// Number of the current version, from 1.
    pub(crate) version: i64,
    #[sqlx(flatten)]
    pub(crate) times: Times,
}

impl Hotel {
    /// `Hotel.etag` of the contract.
    pub(crate) fn etag(&self) -> String {
        etag(self.id.get(), self.version)
    }
}

/// The fields of a hotel that an update can change. `Hotel` and `Address` of the contract define each.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub(crate) struct HotelFields {
    pub(crate) display_name: String,
    pub(crate) description: String,
    pub(crate) street: String,
    pub(crate) city: String,
    pub(crate) postal_code: String,
    pub(crate) country_code: String,
    #[sqlx(flatten)]
    pub(crate) location: Location,
    /// IANA name, such as `Europe/Lisbon`.
    pub(crate) time_zone: String,
    /// When rooms are ready, `hh:mm`.
    pub(crate) check_in_time: String,
    /// When the business day ends on the next date, `hh:mm`, 00:00 to 06:00.
    pub(crate) day_rollover: String,
    /// 1 to 5; 0 when not rated.
    pub(crate) star_rating: i32,
    pub(crate) amenities: Vec<String>,
    pub(crate) photo_urls: Vec<String>,
    /// Valid as `AgeBands`.
    #[sqlx(json)]
    pub(crate) age_bands: Vec<AgeBand>,
    /// In years, 0 to 18; 0 for children of every age.
    pub(crate) min_child_age: i32,
    /// Whether guests are checked in only after they have a room.
    pub(crate) room_required_at_check_in: bool,
}

/// A point on earth (WGS 84), or none: both coordinates are set, or neither.
#[derive(Debug, Clone, Copy, Default, PartialEq, FromRow)]
pub(crate) struct Location {
    /// Degrees north, -90 to 90.
    pub(crate) latitude: Option<f64>,
    /// Degrees east, -180 to 180.
    pub(crate) longitude: Option<f64>,
}

/// New values for fields of a hotel.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct HotelPatch {
    pub(crate) display_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) street: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) postal_code: Option<String>,
    pub(crate) country_code: Option<String>,
    pub(crate) location: Option<Location>,
    pub(crate) time_zone: Option<String>,
    pub(crate) check_in_time: Option<String>,
    pub(crate) day_rollover: Option<String>,
    pub(crate) star_rating: Option<i32>,
    pub(crate) amenities: Option<Vec<String>>,
    pub(crate) photo_urls: Option<Vec<String>>,
    pub(crate) age_bands: Option<Vec<AgeBand>>,
    pub(crate) min_child_age: Option<i32>,
    pub(crate) room_required_at_check_in: Option<bool>,
}

impl HotelFields {
    /// These fields after `patch`.
    #[must_use]
    pub(crate) fn patched(mut self, patch: HotelPatch) -> Self {
        apply_patch!(patch => self;
            display_name, description, street, city, postal_code, country_code, location, time_zone, check_in_time,
            day_rollover, star_rating, amenities, photo_urls, age_bands, min_child_age, room_required_at_check_in,
        );
        self
    }
}

/// Which hotels a list contains: those that satisfy every condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HotelFilter {
    /// City, compared as [`staymesh_domain::Text::key`] compares.
    pub(crate) city: Option<String>,
    /// ISO 3166-1 alpha-2 code.
    pub(crate) country_code: Option<String>,
    /// Lowest star rating, 0 to 5; 0 includes hotels that are not rated.
    pub(crate) min_star_rating: i32,
}
