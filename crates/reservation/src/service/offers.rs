//! Availability, offers and order forms. Nothing here writes or holds rooms.

use std::collections::BTreeMap;

use jiff::Timestamp;
use staymesh_domain::{GuestCount, HotelId, ReservationId, RoomCount, RoomTypeId, StayDates};
use staymesh_mesh::Problem;

use super::BookingService;
use crate::{
    clients::{RoomTypeDemand, RoomTypeInfo},
    error::{ReservationError, ShortRoom},
    offer_token::Offer,
    quote::Quote,
    store::NightLeft,
};

/// Most room types that the rate service prices in one call.
const PRICE_BATCH: usize = 100;

/// A stay that a caller searches for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StayRequest {
    pub(crate) hotel_id: HotelId,
    pub(crate) stay: StayDates,
    pub(crate) rooms: RoomCount,
    /// Guests in all rooms together, at least one per room.
    pub(crate) guests: GuestCount,
}

/// What is left of a room type for a stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Availability {
    pub(crate) room_type_id: RoomTypeId,
    /// Rooms left in the night with the fewest; 0 when a night has no inventory.
    pub(crate) rooms_left: i32,
    /// For each night with inventory, the share of its rooms that is sold or held, in percent.
    pub(crate) sold_percent: Vec<i32>,
}

/// A room type that can be booked.
pub(crate) struct OfferLine {
    pub(crate) room_type: RoomTypeInfo,
    pub(crate) rooms_left: i32,
    pub(crate) quote: Quote,
}

/// A prepared booking: the offer and its signed token.
pub(crate) struct OrderForm {
    pub(crate) offer: Offer,
    pub(crate) token: String,
}

impl BookingService {
    /// What is left of each room type, for guests. The hotel service is called only when nothing is on sale, to find out
    /// whether the hotel exists.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, and when the hotel service or the database fails.
    pub(crate) async fn search(
        &self,
        hotel_id: HotelId,
        stay: StayDates,
        room_types: &[RoomTypeId],
    ) -> Result<Vec<Availability>, ReservationError> {
        let left = self.availability(hotel_id, stay, room_types).await?;
        if left.iter().all(|left| left.sold_percent.is_empty()) {
            self.hotels.room_types(hotel_id).await?;
        }
        Ok(left)
    }

    /// What is left of each room type; of all of the hotel when `room_types` is empty. A requested room type without
    /// inventory has no rooms left.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn availability(
        &self,
        hotel_id: HotelId,
        stay: StayDates,
        room_types: &[RoomTypeId],
    ) -> Result<Vec<Availability>, ReservationError> {
        let nights = self.store.nights_left(hotel_id, stay, room_types).await?;
        let mut by_room_type: BTreeMap<RoomTypeId, Vec<NightLeft>> =
            room_types.iter().map(|id| (*id, Vec::new())).collect();
        for night in nights {
            by_room_type.entry(night.room_type_id).or_default().push(night);
        }
        Ok(by_room_type.into_iter().map(|(id, nights)| summarize(id, &nights, stay)).collect())
    }

    /// The room types that have the rooms, fit the guests and have a rate, cheapest first.
    ///
    /// # Errors
    /// When the hotel or rate service or the database fails, or a price cannot be used.
    pub(crate) async fn offers(&self, request: StayRequest) -> Result<Vec<OfferLine>, ReservationError> {
        let (room_types, left) = tokio::join!(
            self.hotels.room_types(request.hotel_id),
            self.availability(request.hotel_id, request.stay, &[])
        );
        let mut room_types: BTreeMap<RoomTypeId, RoomTypeInfo> =
            room_types?.into_iter().map(|info| (info.room_type_id, info)).collect();
        let fitting: Vec<Availability> = left?
            .into_iter()
            .filter(|left| left.rooms_left >= request.rooms.get())
            .filter(|left| room_types.get(&left.room_type_id).is_some_and(|info| fits(info, request)))
            .collect();
        let mut prices = Vec::with_capacity(fitting.len());
        for batch in fitting.chunks(PRICE_BATCH) {
            let demand = batch.iter().map(demand).collect();
            prices.extend(self.rates.price(request.hotel_id, request.stay, request.rooms, demand).await?);
        }
        let left: BTreeMap<RoomTypeId, i32> = fitting.iter().map(|a| (a.room_type_id, a.rooms_left)).collect();
        let mut lines = Vec::new();
        for price in prices {
            if let (Some(room_type), Some(rooms_left)) =
                (room_types.remove(&price.room_type_id), left.get(&price.room_type_id))
            {
                lines.push(OfferLine { room_type, rooms_left: *rooms_left, quote: price.quote });
            }
        }
        lines.sort_by_key(|line| (line.quote.total.minor(), line.room_type.room_type_id));
        Ok(lines)
    }

    /// An order form: a new reservation id and a signed price.
    ///
    /// # Errors
    /// [`ReservationError::TooManyGuests`], [`ReservationError::NotOnSale`], [`ReservationError::SoldOut`], and when the
    /// hotel or rate service or the database fails.
    pub(crate) async fn prepare(
        &self,
        owner: String,
        request: StayRequest,
        room_type_id: RoomTypeId,
        now: Timestamp,
    ) -> Result<OrderForm, ReservationError> {
        let ids = [room_type_id];
        let (room_type, left) = tokio::join!(
            self.hotels.room_type(request.hotel_id, room_type_id),
            self.availability(request.hotel_id, request.stay, &ids)
        );
        let room_type = room_type?;
        if !fits(&room_type, request) {
            return Err(ReservationError::TooManyGuests {
                guests: request.guests.get(),
                rooms: request.rooms.get(),
                max_occupancy: room_type.max_occupancy,
            });
        }
        let left = left?.into_iter().next().ok_or(ReservationError::NotOnSale)?;
        if i32::try_from(left.sold_percent.len()) != Ok(request.stay.night_count()) {
            return Err(ReservationError::NotOnSale);
        }
        if left.rooms_left < request.rooms.get() {
            return Err(self.sold_out(request, room_type_id).await?);
        }
        let prices = self.rates.price(request.hotel_id, request.stay, request.rooms, vec![demand(&left)]).await?;
        let quote = prices.into_iter().next().ok_or(ReservationError::NotOnSale)?.quote;
        let id = ReservationId::generate(request.hotel_id, now);
        let offer = Offer::new(id, owner, room_type_id, request.stay, request.rooms, request.guests, quote, now);
        let token = self.offers.sign(&offer).map_err(|error| Problem::internal(&error))?;
        Ok(OrderForm { offer, token })
    }

    /// The error of a sold-out stay, with the first short night and when the earliest unpaid hold on it expires.
    async fn sold_out(
        &self,
        request: StayRequest,
        room_type_id: RoomTypeId,
    ) -> Result<ReservationError, ReservationError> {
        let nights = self.store.nights_left(request.hotel_id, request.stay, &[room_type_id]).await?;
        let short = nights.into_iter().find(|night| night.rooms_left < request.rooms.get());
        let rooms_left = short.as_ref().map(|night| night.rooms_left.max(0));
        let stay_date = short.map(|night| night.stay_date);
        let hold_expire_time = match stay_date {
            Some(date) => self.store.earliest_hold(request.hotel_id, room_type_id, date).await?,
            None => None,
        };
        let room = Some(ShortRoom { index: usize::try_from(rooms_left.unwrap_or(0)).unwrap_or(0), room_type_id });
        Ok(ReservationError::SoldOut { room, stay_date, rooms_left, hold_expire_time })
    }
}

fn fits(room_type: &RoomTypeInfo, request: StayRequest) -> bool {
    request.guests.get() <= room_type.max_occupancy.saturating_mul(request.rooms.get())
}

fn demand(left: &Availability) -> RoomTypeDemand {
    RoomTypeDemand { room_type_id: left.room_type_id, sold_percent: left.sold_percent.clone() }
}

fn summarize(room_type_id: RoomTypeId, nights: &[NightLeft], stay: StayDates) -> Availability {
    let complete = i32::try_from(nights.len()) == Ok(stay.night_count());
    let fewest = nights.iter().map(|night| night.rooms_left).min().unwrap_or(0);
    Availability {
        room_type_id,
        rooms_left: if complete { fewest.max(0) } else { 0 },
        sold_percent: nights.iter().map(sold_percent).collect(),
    }
}

fn sold_percent(night: &NightLeft) -> i32 {
    // A night with inventory 0 counts as fully sold.
    (night.total_reserved * 100).checked_div(night.total_inventory).unwrap_or(100)
}

#[cfg(test)]
mod tests;
