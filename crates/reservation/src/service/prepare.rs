//! Order forms: the requested rooms, each with its signed price. Nothing here writes or holds rooms.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use jiff::Timestamp;
use staymesh_domain::{HotelId, HotelTime, Party, ReservationId, RoomTypeId, StayDates};
use staymesh_mesh::{Caller, Problem};

use super::{
    BookingService,
    offers::{demand, require_bookable, summarize},
    owners::booking_owner,
    parties::require_parties_fit,
};
use crate::{
    clients::{HotelInfo, RoomTypeDemand},
    error::ReservationError,
    group_block::{GroupBlock, GroupBlockKey, refusal},
    night::{Night, NightSale, date_of, day_of},
    offer_token::{MAX_TOKEN, Offer},
    quote::Quote,
    room_line::{RoomLine, RoomLinesSum, Shortage, nights_of, short_room, shortage},
    room_status::RoomStatus,
    store::NightLeft,
};

/// Most calls of the rate service that are open at a time for one order form, which needs one for each different pair of
/// dates, at most one for each room. They run in windows: the next calls start when all of a window have answered, so that
/// one request of 50 rooms takes no more of the rate service than this.
const CONCURRENT_CALLS: usize = 8;

/// A requested room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomRequest {
    pub(crate) room_type_id: RoomTypeId,
    pub(crate) stay: StayDates,
    pub(crate) party: Party,
}

impl RoomRequest {
    /// Its room type and its dates.
    const fn room(&self) -> (RoomTypeId, StayDates) {
        (self.room_type_id, self.stay)
    }
}

/// The rooms of one booking, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomsRequest {
    pub(crate) hotel_id: HotelId,
    /// Contains the dates of every room.
    pub(crate) stay: StayDates,
    pub(crate) rooms: Vec<RoomRequest>,
    /// The group block that the rooms are taken from; `None` takes them from what is on sale.
    pub(crate) group_block: Option<GroupBlockKey>,
}

/// A prepared booking: the offer, what its rooms add up to, and its signed token.
pub(crate) struct OrderForm {
    pub(crate) offer: Offer,
    pub(crate) sum: RoomLinesSum,
    pub(crate) token: String,
}

impl BookingService {
    /// An order form: a new reservation id and a signed price for each room.
    ///
    /// # Errors
    /// A violation of `check_in` if a room's stay is in the past at the hotel, [`ReservationError::Misfit`],
    /// [`ReservationError::NotOnSale`], [`ReservationError::StopSell`], [`ReservationError::SoldOut`],
    /// [`ReservationError::Field`] when the offer would be too long, and when the hotel or rate service or the database
    /// fails.
    pub(crate) async fn prepare(
        &self,
        caller: &Caller,
        request: RoomsRequest,
        now: Timestamp,
    ) -> Result<OrderForm, ReservationError> {
        let owner = booking_owner(caller, request.hotel_id).ok_or(ReservationError::NotFound)?;
        self.order_form(ReservationId::generate(request.hotel_id, now), owner, request, now).await
    }

    /// As [`Self::prepare`], for this reservation id.
    pub(super) async fn order_form(
        &self,
        id: ReservationId,
        owner: String,
        request: RoomsRequest,
        now: Timestamp,
    ) -> Result<OrderForm, ReservationError> {
        let types: BTreeSet<RoomTypeId> = request.rooms.iter().map(|room| room.room_type_id).collect();
        let ids: Vec<RoomTypeId> = types.iter().copied().collect();
        let (hotel, room_types, left, block) = tokio::join!(
            self.hotels.hotel(request.hotel_id),
            self.room_types(request.hotel_id, &types),
            self.store.nights_left(request.hotel_id, request.stay, &ids),
            self.block_of(&request)
        );
        let HotelInfo { time, child_rules, .. } = hotel?;
        for room in &request.rooms {
            require_bookable(&time, room.stay, now)?;
        }
        let parties = request.rooms.iter().map(|room| (room.room_type_id, &room.party));
        require_parties_fit(&child_rules, &room_types?, parties)?;
        let (left, block) = (left?, block?);
        match &block {
            Some(block) => require_rooms_of_block(&request, block, now)?,
            None => self.require_rooms(&request, &left).await?,
        }
        let mut types: BTreeMap<StayDates, BTreeSet<RoomTypeId>> = BTreeMap::new();
        for room in &request.rooms {
            types.entry(room.stay).or_default().insert(room.room_type_id);
        }
        let prices = self.room_prices(request.hotel_id, types, &time, &left).await?;
        let line = |RoomRequest { room_type_id, stay, party }| {
            let quote = prices.get(&(stay, room_type_id)).cloned().ok_or(ReservationError::NotOnSale)?;
            Ok(RoomLine { room_type_id, stay, party, quote, status: RoomStatus::Live })
        };
        let lines = request.rooms.into_iter().map(line).collect::<Result<Vec<_>, ReservationError>>()?;
        // Rooms with prices in two currencies are refused before they are signed.
        let sum = RoomLine::sum(&lines)?;
        let offer = Offer::new(id, owner, lines, now).out_of(block.map(|block| block.id));
        let token = self.offers.sign(&offer).map_err(|error| Problem::internal(&error))?;
        if token.len() > MAX_TOKEN {
            let text = "are too many different rooms and nights for one booking";
            return Err(staymesh_domain::FieldError::new("rooms", text).into());
        }
        Ok(OrderForm { offer, sum, token })
    }

    /// The price of one room of each of the types for these dates. Those without a rate are absent.
    ///
    /// # Errors
    /// [`ReservationError::NotOnSale`] if a night has no inventory, and when the rate service fails.
    pub(super) async fn room_prices(
        &self,
        hotel_id: HotelId,
        types: BTreeMap<StayDates, BTreeSet<RoomTypeId>>,
        time: &HotelTime,
        left: &[NightLeft],
    ) -> Result<BTreeMap<(StayDates, RoomTypeId), Quote>, ReservationError> {
        let stays: Vec<_> = types.into_iter().collect();
        let mut prices = BTreeMap::new();
        for stays in stays.chunks(CONCURRENT_CALLS) {
            let calls = stays.iter().map(async |(stay, types)| {
                let demands = demands(*stay, types, left)?;
                let found = self.rates.price(hotel_id, *stay, time.clone(), demands).await?;
                Ok::<_, ReservationError>(found.into_iter().map(|price| ((*stay, price.room_type_id), price.quote)))
            });
            prices.extend(try_join_all(calls).await?.into_iter().flatten());
        }
        Ok(prices)
    }

    /// The group block that a request names.
    async fn block_of(&self, request: &RoomsRequest) -> Result<Option<GroupBlock>, ReservationError> {
        match &request.group_block {
            Some(key) => self.store.group_block(request.hotel_id, key).await.map(Some),
            None => Ok(None),
        }
    }

    /// Requires that all rooms together are left in every night.
    async fn require_rooms(&self, request: &RoomsRequest, left: &[NightLeft]) -> Result<(), ReservationError> {
        let hotel_id = request.hotel_id;
        let key = |night: &NightLeft| (hotel_id.get(), night.room_type_id.get(), day_of(night.stay_date));
        let left: BTreeMap<Night, NightSale> = left.iter().map(|night| (key(night), night.sale())).collect();
        let rooms = || request.rooms.iter().map(RoomRequest::room);
        let (night, rooms_left) = match shortage(&nights_of(hotel_id.get(), rooms()), &left) {
            None => return Ok(()),
            Some(Shortage::NotOnSale) => return Err(ReservationError::NotOnSale),
            Some(Shortage::StopSell(night)) => {
                let room = short_room(rooms(), night, 0);
                return Err(ReservationError::StopSell { room, stay_date: date_of(night.2) });
            }
            Some(Shortage::SoldOut(night, rooms_left)) => (night, rooms_left),
        };
        let room = short_room(rooms(), night, rooms_left);
        let (stay_date, rooms_left) = (date_of(night.2), Some(rooms_left));
        let hold_expire_time = self.store.earliest_holds(BTreeSet::from([night])).await?.remove(&night);
        Err(ReservationError::SoldOut { room, stay_date, rooms_left, hold_expire_time })
    }
}

/// Requires that a group block has all rooms together left in every night.
///
/// # Errors
/// As [`crate::writer::pick_up`].
fn require_rooms_of_block(request: &RoomsRequest, block: &GroupBlock, now: Timestamp) -> Result<(), ReservationError> {
    block.require_open(now)?;
    let needs = nights_of(request.hotel_id.get(), request.rooms.iter().map(RoomRequest::room));
    shortage(&needs, &block.left()).map_or(Ok(()), |short| Err(refusal(short)))
}

/// How much of each room type is sold in the nights of a stay.
///
/// # Errors
/// [`ReservationError::NotOnSale`] if a night has no inventory.
fn demands(
    stay: StayDates,
    types: &BTreeSet<RoomTypeId>,
    left: &[NightLeft],
) -> Result<Vec<RoomTypeDemand>, ReservationError> {
    let of_type = |room_type_id: &RoomTypeId| {
        let nights = left.iter().filter(|night| night.room_type_id == *room_type_id);
        let nights = nights.filter(|night| stay.nights().any(|date| date == night.stay_date));
        let nights: Vec<NightLeft> = nights.cloned().collect();
        if i32::try_from(nights.len()) != Ok(stay.night_count()) {
            return Err(ReservationError::NotOnSale);
        }
        Ok(demand(&summarize(*room_type_id, &nights, stay)))
    };
    types.iter().map(of_type).collect()
}

#[cfg(test)]
mod tests;
