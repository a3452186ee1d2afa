//! What is for sale in a benchmark, and what a client may want of it.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rand::RngExt;
use staymesh_domain::StayDates;

/// Nights of a stay.
pub(crate) const NIGHTS: i32 = 3;
/// The room that everybody wants: more rooms than any phase can sell.
pub(crate) const HOT: (i32, i32) = (1_000_000, 100_000_000);
/// The room that is wanted by more than it has rooms.
pub(crate) const SCARCE: (i32, i32) = (1_000_001, 100_000_020);
/// Rooms of the scarce room type; a tenth more may be sold.
pub(crate) const SCARCE_ROOMS: i32 = 1_000;
/// Bookings that the scarce room type can take.
pub(crate) const SCARCE_CAPACITY: usize = 1_100;

/// Hotels, room types and nights that are spread over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) hotels: i32,
    pub(crate) room_types: i32,
    pub(crate) days: i32,
    /// The first night for sale.
    pub(crate) first: Date,
}

/// A room type and a stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    pub(crate) hotel_id: i32,
    pub(crate) room_type_id: i32,
    pub(crate) stay: StayDates,
}

/// What clients want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Load {
    /// Any hotel, room type and dates.
    Spread,
    /// All the same three nights.
    Hot,
    /// All the same three nights, of which there are too few.
    Sellout,
}

impl Load {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Spread => "spread",
            Self::Hot => "hot",
            Self::Sellout => "sellout",
        }
    }
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl World {
    pub(crate) fn new(hotels: i32) -> Self {
        Self { hotels, room_types: 20, days: 730, first: Timestamp::now().to_zoned(TimeZone::UTC).date() }
    }

    /// Rows of inventory.
    pub(crate) fn rows(self) -> i64 {
        i64::from(self.hotels) * i64::from(self.room_types) * i64::from(self.days)
    }

    /// What one client wants.
    ///
    /// # Errors
    /// When the calendar ends, which it does not.
    pub(crate) fn want(self, load: Load) -> anyhow::Result<Want> {
        let mut rng = rand::rng();
        let (hotel_id, room_type_id, offset) = match load {
            Load::Hot => (HOT.0, HOT.1, 30),
            Load::Sellout => (SCARCE.0, SCARCE.1, 30),
            Load::Spread => {
                let hotel_id = rng.random_range(1..=self.hotels);
                let room_type = rng.random_range(0..self.room_types);
                let room_type_id = (hotel_id - 1) * self.room_types + room_type + 1;
                (hotel_id, room_type_id, rng.random_range(0..=self.days - NIGHTS))
            }
        };
        let check_in = self.first.checked_add(offset.days())?;
        let stay = StayDates::new(check_in, check_in.checked_add(NIGHTS.days())?)?;
        Ok(Want { hotel_id, room_type_id, stay })
    }
}
