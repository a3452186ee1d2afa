//! Nights as they travel to the database: one array for each column, dates as days since 1970-01-01.

use std::collections::BTreeMap;

use jiff::{ToSpan, civil::Date};
use sqlx::PgConnection;

use crate::{error::ReservationError, writer::Night};

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// Days since 1970-01-01.
pub(super) fn day_of(date: Date) -> i32 {
    i32::try_from(date.duration_since(EPOCH).as_hours() / 24).unwrap_or(0)
}

/// The date of a day.
pub(super) fn date_of(day: i32) -> Option<Date> {
    EPOCH.checked_add(day.days()).ok()
}

/// Nights as columns.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) hotels: Vec<i32>,
    pub(super) room_types: Vec<i32>,
    pub(super) days: Vec<i32>,
}

impl Columns {
    /// The first and the last of the days. With them as parameters of a statement, the database leaves out the partitions
    /// of all other months before it begins, whether it plans for the values or has a plan for any.
    pub(super) fn span(&self) -> (i32, i32) {
        let first = self.days.iter().min().copied().unwrap_or_default();
        (first, self.days.iter().max().copied().unwrap_or(first))
    }
}

impl FromIterator<Night> for Columns {
    fn from_iter<T: IntoIterator<Item = Night>>(nights: T) -> Self {
        let mut columns = Self::default();
        for (hotel_id, room_type_id, day) in nights {
            columns.hotels.push(hotel_id);
            columns.room_types.push(room_type_id);
            columns.days.push(day);
        }
        columns
    }
}

/// Locks nights in the order of their keys, so that nobody waits in a circle, and tells what is left in each. Nights
/// that were never on sale are not there.
pub(super) async fn lock(
    transaction: &mut PgConnection,
    nights: impl IntoIterator<Item = Night>,
) -> Result<BTreeMap<Night, i32>, ReservationError> {
    let columns: Columns = nights.into_iter().collect();
    let (first, last) = columns.span();
    let rows: Vec<(i32, i32, i32, i32)> = sqlx::query_as(
        "select i.hotel_id, i.room_type_id, i.stay_date - date '1970-01-01',
             i.total_inventory * (100 + i.overbooking_percent) / 100 - i.total_reserved
         from unnest($1::integer[], $2::integer[], $3::integer[]) wanted (hotel_id, room_type_id, day)
         join room_type_inventory i on i.hotel_id = wanted.hotel_id and i.room_type_id = wanted.room_type_id
             and i.stay_date = date '1970-01-01' + wanted.day
         where i.stay_date between date '1970-01-01' + $4 and date '1970-01-01' + $5
         order by i.hotel_id, i.room_type_id, i.stay_date
         for no key update of i",
    )
    .bind(columns.hotels)
    .bind(columns.room_types)
    .bind(columns.days)
    .bind(first)
    .bind(last)
    .fetch_all(transaction)
    .await?;
    Ok(rows.into_iter().map(|(hotel, room_type, day, left)| ((hotel, room_type, day), left)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_date_survives_its_way_to_the_database_and_back(day in -10_000..100_000i32) {
            prop_assert_eq!(date_of(day).map(day_of), Some(day));
        }
    }
}
