//! Nights as statement parameters, and their locks.

use std::collections::BTreeMap;

use super::Transaction;
use crate::{
    error::ReservationError,
    night::{Night, NightSale},
};

/// SQL of the limit of sale of the night `i`: the rooms that may be reserved in it, overbooking included and without those
/// that are out of order. It is at most what the CHECK allows, and equal to it while no room is out of order.
macro_rules! limit_of_sale {
    () => {
        "greatest(i.total_inventory - i.out_of_order, 0) * (100 + i.overbooking_percent) / 100"
    };
}
pub(super) use limit_of_sale;

/// Night keys as one array per column; dates as days since 1970-01-01.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) hotels: Vec<i32>,
    pub(super) room_types: Vec<i32>,
    pub(super) days: Vec<i32>,
}

impl Columns {
    /// The first and the last day; (0, 0) without nights. As parameters of a statement they let PostgreSQL prune the
    /// partitions of all other months before execution, with a custom plan and with a generic one.
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

impl Transaction {
    /// Locks nights in key order and yields what can still be sold of each. Nights without inventory are absent.
    ///
    /// # Errors
    /// When the database fails, or a lock is not granted in time.
    pub(crate) async fn lock_nights(
        &mut self,
        nights: impl IntoIterator<Item = Night>,
    ) -> Result<BTreeMap<Night, NightSale>, ReservationError> {
        let columns: Columns = nights.into_iter().collect();
        let (first, last) = columns.span();
        let rows: Vec<(i32, i32, i32, i32, bool)> = sqlx::query_as(concat!(
            "select i.hotel_id, i.room_type_id, i.stay_date - date '1970-01-01',
                 ",
            limit_of_sale!(),
            " - i.total_reserved, i.stop_sell
             from unnest($1::integer[], $2::integer[], $3::integer[]) wanted (hotel_id, room_type_id, day)
             join room_type_inventory i on i.hotel_id = wanted.hotel_id and i.room_type_id = wanted.room_type_id
                 and i.stay_date = date '1970-01-01' + wanted.day
             where i.stay_date between date '1970-01-01' + $4 and date '1970-01-01' + $5
             order by i.hotel_id, i.room_type_id, i.stay_date
             for no key update of i",
        ))
        .bind(columns.hotels)
        .bind(columns.room_types)
        .bind(columns.days)
        .bind(first)
        .bind(last)
        .fetch_all(&mut *self.0)
        .await?;
        let sale = |(hotel, room_type, day, rooms_left, stop_sell)| {
            ((hotel, room_type, day), NightSale { rooms_left, stop_sell })
        };
        Ok(rows.into_iter().map(sale).collect())
    }
}
