//! Keys of inventory nights: the rows that bookings lock and count.

use jiff::{Span, civil::Date};

/// The key of a row of `room_type_inventory`: hotel id, room type id, and the date as days since 1970-01-01.
///
/// Keys order as the table's primary key does, which is the order in which rows are locked.
pub(crate) type Night = (i32, i32, i32);

/// What can still be sold of a night: the one rule by which `total_reserved` may grow. [`crate::store`] has it as SQL too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NightSale {
    /// Rooms up to the limit of sale; negative when more are reserved.
    pub(crate) rooms_left: i32,
    /// Whether staff have closed the night.
    pub(crate) stop_sell: bool,
}

impl NightSale {
    /// Whether so many more rooms may be reserved.
    pub(crate) const fn sells(self, rooms: i32) -> bool {
        !self.stop_sell && rooms <= self.rooms_left
    }
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// The date as days since 1970-01-01, negative before. Every date of the calendar fits.
pub(crate) fn day_of(date: Date) -> i32 {
    (date - EPOCH).get_days()
}

/// The date of a day number; `None` outside years -9999 to 9999.
pub(crate) fn date_of(day: i32) -> Option<Date> {
    EPOCH.checked_add(Span::new().try_days(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn day_numbers_convert_to_dates_and_back(day in -10_000..100_000i32) {
            prop_assert_eq!(date_of(day).map(day_of), Some(day));
        }
    }

    #[test]
    fn day_numbers_cover_the_whole_calendar() {
        assert_eq!(date_of(day_of(Date::MIN)), Some(Date::MIN));
        assert_eq!(date_of(day_of(Date::MAX)), Some(Date::MAX));
        assert_eq!(date_of(i32::MAX), None);
    }
}
