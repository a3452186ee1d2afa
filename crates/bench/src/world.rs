//! The world of a benchmark: hotels, room types and nights on sale, and which of them are booked under each load.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rand::RngExt;
use staymesh_domain::StayDates;
use staymesh_load::booking::{NIGHTS, StayRequest};

/// Hotel and room type of the hot load: more rooms than any phase can sell.
pub(crate) const HOT: (i32, i32) = (1_000_000, 100_000_000);
/// Hotel and room type of the sellout load: demand exceeds its rooms.
pub(crate) const SCARCE: (i32, i32) = (1_000_001, 100_000_020);
/// Rooms of the scarce room type; 10 % more may be sold.
pub(crate) const SCARCE_ROOMS: i32 = 1_000;
/// Rooms that the scarce room type can sell.
pub(crate) const SCARCE_CAPACITY: usize = 1_100;

/// Hotels 1 to `hotels`, their room types and nights, for the spread load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) hotels: i32,
    /// Room types per hotel.
    pub(crate) room_types: i32,
    /// Nights per room type.
    pub(crate) days: i32,
    /// The first night on sale.
    pub(crate) first: Date,
    /// Rooms of one type in each booking.
    pub(crate) rooms: usize,
}

/// The distribution of the stays that clients book.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Load {
    /// Hotel, room type and dates at random.
    Spread,
    /// The same three nights of one room type that does not sell out.
    Hot,
    /// The same three nights of one room type that sells out.
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
    /// A world of 20 room types per hotel and 730 nights per room type, starting today (UTC). Bookings are of one room.
    pub(crate) fn new(hotels: i32) -> Self {
        Self { hotels, room_types: 20, days: 730, first: Timestamp::now().to_zoned(TimeZone::UTC).date(), rooms: 1 }
    }

    /// Rows of inventory.
    pub(crate) fn rows(self) -> i64 {
        i64::from(self.hotels) * i64::from(self.room_types) * i64::from(self.days)
    }

    /// The stay of the next booking under `load`.
    ///
    /// # Errors
    /// When a date is beyond the calendar.
    pub(crate) fn stay_request(self, load: Load) -> anyhow::Result<StayRequest> {
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
        Ok(StayRequest { hotel_id, room_type_id, stay, rooms: self.rooms })
    }
}
