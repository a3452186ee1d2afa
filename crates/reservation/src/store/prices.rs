//! The prices of new reservations as JSON.

use serde_json::value::{RawValue, to_raw_value};
use sqlx::types::Json;

use crate::{
    model::NewReservation,
    quote::{ForReleaseBefore, Quote},
    room_line::RoomLine,
};

/// The prices of a new reservation. Each distinct price of its lines is serialized once.
pub(super) struct WrittenPrices {
    for_release_before: Option<Box<RawValue>>,
    /// The price of each room.
    pub(super) of_rooms: Vec<Box<RawValue>>,
}

impl WrittenPrices {
    /// # Errors
    /// When a price has two currencies, or its terms are out of range.
    pub(super) fn of(order: &NewReservation) -> Result<Self, serde_json::Error> {
        let mut written: Vec<(&Quote, Box<RawValue>)> = Vec::new();
        let of_rooms = order.lines.iter().map(|line| written_once(&mut written, &line.quote));
        let of_rooms = of_rooms.collect::<Result<_, _>>()?;
        let for_release_before = match order.lines.split_first() {
            Some((first, others)) if others.iter().all(|line| line.room() == first.room()) => {
                Some(to_raw_value(&ForReleaseBefore(&order.quote))?)
            }
            _ => None,
        };
        Ok(Self { for_release_before, of_rooms })
    }

    /// The price in column `reservation.price`, which the release before reads. It takes all rooms for rooms of the first
    /// one's type and dates, and would give back nights that the others do not have. So there is none for such rooms: that
    /// release cannot read their reservation, and leaves it to this one. It knows no terms, and gets none: they took the
    /// database 4 µs for each booking.
    pub(super) fn for_release_before(&self) -> Json<Option<&RawValue>> {
        Json(self.for_release_before.as_deref())
    }
}

/// The price of each room as JSON.
///
/// # Errors
/// As [`WrittenPrices::of`].
pub(super) fn written_prices<'a>(
    rooms: impl Iterator<Item = &'a RoomLine>,
) -> Result<Vec<Box<RawValue>>, serde_json::Error> {
    let mut written = Vec::new();
    rooms.map(|line| written_once(&mut written, &line.quote)).collect()
}

/// The price as JSON: serialized, unless it was before.
fn written_once<'a>(
    written: &mut Vec<(&'a Quote, Box<RawValue>)>,
    quote: &'a Quote,
) -> Result<Box<RawValue>, serde_json::Error> {
    if let Some((_, json)) = written.iter().find(|(known, _)| *known == quote) {
        return Ok(json.clone());
    }
    let json = to_raw_value(quote)?;
    written.push((quote, json.clone()));
    Ok(json)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use staymesh_domain::Money;

    use super::*;
    use crate::testing::order_of_rooms;

    #[test]
    fn prices_of_rooms_and_of_all_rooms_are_the_json_of_each() {
        let order = order_of_rooms(3, Timestamp::now());
        let prices = WrittenPrices::of(&order).expect("serializable");
        let json = |quote: &Quote| serde_json::to_string(quote).expect("serializable");
        let rooms: Vec<_> = prices.of_rooms.iter().map(|price| price.get().to_owned()).collect();
        assert_eq!(rooms, order.lines.iter().map(|line| json(&line.quote)).collect::<Vec<_>>());
        let for_release_before = serde_json::to_string(&ForReleaseBefore(&order.quote)).expect("serializable");
        assert_eq!(prices.for_release_before().0.map(RawValue::get), Some(for_release_before.as_str()));
    }

    #[test]
    fn price_in_two_currencies_is_an_error_in_a_room_and_of_all_rooms() {
        let dollars = Money::zero("USD".parse().expect("a currency"));
        let mut order = order_of_rooms(2, Timestamp::now());
        order.quote.subtotal = dollars;
        assert!(WrittenPrices::of(&order).is_err());
        let mut order = order_of_rooms(2, Timestamp::now());
        order.lines[1].quote.subtotal = dollars;
        assert!(WrittenPrices::of(&order).is_err());
    }
}
