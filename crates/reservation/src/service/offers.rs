//! From the search to the order form. Nothing here writes or holds anything.

use std::collections::BTreeMap;

use jiff::Timestamp;
use staymesh_api::rate::v1::RoomTypeDemand;
use staymesh_domain::{GuestCount, HotelId, ReservationId, RoomCount, RoomTypeId, StayDates};

use super::{RoomTypeInfo, Service};
use crate::{error::ReservationError, offer_token::Offer, quote::Quote, store::NightLeft};

/// Most room types that the rate service prices in one call.
const PRICED_AT_ONCE: usize = 100;

/// What somebody looks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) hotel_id: HotelId,
    pub(crate) stay: StayDates,
    pub(crate) rooms: RoomCount,
    pub(crate) guests: GuestCount,
}

/// What is left of a room type for a stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Availability {
    pub(crate) room_type_id: i32,
    /// Rooms left in the night that has the fewest; 0 when a night has no inventory.
    pub(crate) rooms_left: i32,
    /// For each night, the share of its rooms that is sold, in per cent.
    pub(crate) sold_percent: Vec<i32>,
}

/// A room type that can be booked.
pub(crate) struct OfferLine {
    pub(crate) room_type: RoomTypeInfo,
    pub(crate) rooms_left: i32,
    pub(crate) quote: Quote,
}

/// A prepared booking.
pub(crate) struct OrderForm {
    pub(crate) offer: Offer,
    pub(crate) token: String,
}

impl Service {
    /// What is left of each room type, for guests. Only when nothing is for sale is the hotel service asked: whether
    /// there is such a hotel at all.
    pub(crate) async fn search(
        &self,
        hotel_id: HotelId,
        stay: StayDates,
        room_types: &[i32],
    ) -> Result<Vec<Availability>, ReservationError> {
        let left = self.availability(hotel_id, stay, room_types).await?;
        if left.iter().all(|left| left.sold_percent.is_empty()) {
            self.hotels.room_types(hotel_id).await?;
        }
        Ok(left)
    }

    /// What is left of each room type. One that was asked for but has no inventory has no rooms left.
    pub(crate) async fn availability(
        &self,
        hotel_id: HotelId,
        stay: StayDates,
        room_types: &[i32],
    ) -> Result<Vec<Availability>, ReservationError> {
        let nights = self.store.nights_left(hotel_id, stay, room_types).await?;
        let mut by_room_type: BTreeMap<i32, Vec<NightLeft>> = room_types.iter().map(|id| (*id, Vec::new())).collect();
        for night in nights {
            by_room_type.entry(night.room_type_id).or_default().push(night);
        }
        Ok(by_room_type.into_iter().map(|(id, nights)| summarize(id, &nights, stay)).collect())
    }

    /// The room types that have the rooms, fit the guests and have a rate, cheapest first.
    pub(crate) async fn offers(&self, wish: Wish) -> Result<Vec<OfferLine>, ReservationError> {
        let (room_types, left) =
            tokio::join!(self.hotels.room_types(wish.hotel_id), self.availability(wish.hotel_id, wish.stay, &[]));
        let mut room_types: BTreeMap<i32, RoomTypeInfo> =
            room_types?.into_iter().map(|info| (info.room_type_id, info)).collect();
        let fitting: Vec<Availability> = left?
            .into_iter()
            .filter(|left| left.rooms_left >= wish.rooms.get())
            .filter(|left| room_types.get(&left.room_type_id).is_some_and(|info| fits(info, wish)))
            .collect();
        let mut prices = Vec::with_capacity(fitting.len());
        for some in fitting.chunks(PRICED_AT_ONCE) {
            let demand = some.iter().map(demand).collect();
            prices.extend(self.rates.price(wish.hotel_id, wish.stay, wish.rooms.get(), demand).await?);
        }
        let left: BTreeMap<i32, i32> = fitting.iter().map(|a| (a.room_type_id, a.rooms_left)).collect();
        let mut lines = Vec::new();
        for price in prices {
            let quote = Quote::from_proto(&price, wish.rooms.get())?;
            if let (Some(room_type), Some(rooms_left)) =
                (room_types.remove(&price.room_type_id), left.get(&price.room_type_id))
            {
                lines.push(OfferLine { room_type, rooms_left: *rooms_left, quote });
            }
        }
        lines.sort_by_key(|line| (line.quote.total_minor, line.room_type.room_type_id));
        Ok(lines)
    }

    /// An order form: a new id and a signed price.
    pub(crate) async fn prepare(
        &self,
        owner: String,
        wish: Wish,
        room_type_id: RoomTypeId,
        now: Timestamp,
    ) -> Result<OrderForm, ReservationError> {
        let ids = [room_type_id.get()];
        let (room_type, left) = tokio::join!(
            self.hotels.room_type(wish.hotel_id, room_type_id),
            self.availability(wish.hotel_id, wish.stay, &ids)
        );
        let room_type = room_type?;
        if !fits(&room_type, wish) {
            return Err(ReservationError::TooManyGuests {
                guests: wish.guests.get(),
                rooms: wish.rooms.get(),
                max_occupancy: room_type.max_occupancy,
            });
        }
        let left = left?.into_iter().next().ok_or(ReservationError::NotOnSale)?;
        if left.sold_percent.len() != usize::try_from(wish.stay.night_count()).unwrap_or(0) {
            return Err(ReservationError::NotOnSale);
        }
        if left.rooms_left < wish.rooms.get() {
            return Err(self.sold_out(wish, room_type_id).await?);
        }
        let prices = self.rates.price(wish.hotel_id, wish.stay, wish.rooms.get(), vec![demand(&left)]).await?;
        let price = prices.first().ok_or(ReservationError::NotOnSale)?;
        let quote = Quote::from_proto(price, wish.rooms.get())?;
        let offer = Offer::new(
            ReservationId::generate(wish.hotel_id, now),
            owner,
            room_type_id.get(),
            wish.stay,
            wish.rooms.get(),
            wish.guests.get(),
            quote,
            now,
        );
        let token = self.offers.sign(&offer).map_err(|error| staymesh_mesh::Problem::internal(&error))?;
        Ok(OrderForm { offer, token })
    }
}

impl Service {
    /// Names the night that is short, and who has yet to pay for it.
    async fn sold_out(&self, wish: Wish, room_type_id: RoomTypeId) -> Result<ReservationError, ReservationError> {
        let nights = self.store.nights_left(wish.hotel_id, wish.stay, &[room_type_id.get()]).await?;
        let short = nights.into_iter().find(|night| night.rooms_left < wish.rooms.get());
        let stay_date = short.map(|night| night.stay_date);
        let hold_expire_time = match stay_date {
            Some(date) => self.store.earliest_hold(wish.hotel_id, room_type_id, date).await?,
            None => None,
        };
        Ok(ReservationError::SoldOut { stay_date, hold_expire_time })
    }
}

fn fits(room_type: &RoomTypeInfo, wish: Wish) -> bool {
    wish.guests.get() <= room_type.max_occupancy.saturating_mul(wish.rooms.get())
}

fn demand(left: &Availability) -> RoomTypeDemand {
    RoomTypeDemand { room_type_id: left.room_type_id, sold_percent: left.sold_percent.clone() }
}

fn summarize(room_type_id: i32, nights: &[NightLeft], stay: StayDates) -> Availability {
    let complete = i32::try_from(nights.len()) == Ok(stay.night_count());
    let fewest = nights.iter().map(|night| night.rooms_left).min().unwrap_or(0);
    Availability {
        room_type_id,
        rooms_left: if complete { fewest.max(0) } else { 0 },
        sold_percent: nights.iter().map(sold_percent).collect(),
    }
}

fn sold_percent(night: &NightLeft) -> i32 {
    // Nothing for sale counts as all sold.
    (night.total_reserved * 100).checked_div(night.total_inventory).unwrap_or(100)
}

#[cfg(test)]
mod tests;
