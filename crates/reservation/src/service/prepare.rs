//! Order forms: the rooms that are asked for, each with its signed price. Nothing here writes or holds rooms.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{HotelId, HotelTime, Party, ReservationId, RoomCount, RoomTypeId, StayDates};
use staymesh_mesh::Problem;

use super::{
    BookingService,
    offers::{demand, require_bookable, summarize},
};
use crate::{
    error::ReservationError,
    night::{Night, date_of, day_of},
    offer_token::{MAX_TOKEN, Offer},
    quote::Quote,
    room_line::{RoomLine, Shortage, nights_of, short_room, shortage},
    store::NightLeft,
};

/// A room that a caller asks for.
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
}

/// A prepared booking: the offer and its signed token.
pub(crate) struct OrderForm {
    pub(crate) offer: Offer,
    pub(crate) token: String,
}

impl BookingService {
    /// An order form: a new reservation id and a signed price for each room.
    ///
    /// # Errors
    /// A violation of `check_in` if a room's stay is in the past at the hotel, [`ReservationError::Misfit`],
    /// [`ReservationError::NotOnSale`], [`ReservationError::SoldOut`],
    /// [`ReservationError::Field`] when the offer would be too long, and when the hotel or rate service or the database
    /// fails.
    pub(crate) async fn prepare(
        &self,
        owner: String,
        request: RoomsRequest,
        now: Timestamp,
    ) -> Result<OrderForm, ReservationError> {
        let types: BTreeSet<RoomTypeId> = request.rooms.iter().map(|room| room.room_type_id).collect();
        let types: Vec<RoomTypeId> = types.into_iter().collect();
        let parties: Vec<_> = request.rooms.iter().map(|room| (room.room_type_id, &room.party)).collect();
        let (time, fit, left) = tokio::join!(
            self.hotels.hotel_time(request.hotel_id),
            self.require_parties_fit(request.hotel_id, &parties),
            self.store.nights_left(request.hotel_id, request.stay, &types)
        );
        let time = time?;
        for room in &request.rooms {
            require_bookable(&time, room.stay, now)?;
        }
        fit?;
        let left = left?;
        self.require_rooms(&request, &left).await?;
        let prices = self.room_prices(&request, &time, &left).await?;
        let price = |room: &RoomRequest| prices.get(&key_of(room)).cloned().ok_or(ReservationError::NotOnSale);
        let line = |room: &RoomRequest| {
            let (room_type_id, stay, party) = (room.room_type_id, room.stay, room.party.clone());
            Ok::<_, ReservationError>(RoomLine { room_type_id, stay, party, quote: price(room)? })
        };
        let lines = request.rooms.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        // Rooms with prices in two currencies are refused before they are signed.
        RoomLine::sum(&lines)?;
        let id = ReservationId::generate(request.hotel_id, now);
        let offer = Offer::new(id, owner, lines, now);
        let token = self.offers.sign(&offer).map_err(|error| Problem::internal(&error))?;
        if token.len() > MAX_TOKEN {
            let text = "are too many different rooms and nights for one booking";
            return Err(staymesh_domain::FieldError::new("rooms", text).into());
        }
        Ok(OrderForm { offer, token })
    }

    /// The price of one room of each type and dates that are asked for.
    async fn room_prices(
        &self,
        request: &RoomsRequest,
        time: &HotelTime,
        left: &[NightLeft],
    ) -> Result<BTreeMap<(Date, Date, RoomTypeId), Quote>, ReservationError> {
        let mut types: BTreeMap<(Date, Date), BTreeSet<RoomTypeId>> = BTreeMap::new();
        for room in &request.rooms {
            types.entry((room.stay.check_in(), room.stay.check_out())).or_default().insert(room.room_type_id);
        }
        let mut prices = BTreeMap::new();
        for ((check_in, check_out), types) in types {
            let stay = StayDates::new(check_in, check_out).map_err(staymesh_domain::FieldError::from)?;
            let mut demands = Vec::with_capacity(types.len());
            for room_type_id in types {
                let nights = left.iter().filter(|night| night.room_type_id == room_type_id);
                let nights = nights.filter(|night| stay.nights().any(|date| date == night.stay_date));
                let nights: Vec<NightLeft> = nights.cloned().collect();
                if i32::try_from(nights.len()) != Ok(stay.night_count()) {
                    return Err(ReservationError::NotOnSale);
                }
                demands.push(demand(&summarize(room_type_id, &nights, stay)));
            }
            let found = self.rates.price(request.hotel_id, stay, RoomCount::ONE, time.clone(), demands).await?;
            prices.extend(found.into_iter().map(|price| ((check_in, check_out, price.room_type_id), price.quote)));
        }
        Ok(prices)
    }

    /// Requires that all rooms together are left in every night.
    async fn require_rooms(&self, request: &RoomsRequest, left: &[NightLeft]) -> Result<(), ReservationError> {
        let hotel_id = request.hotel_id;
        let key = |night: &NightLeft| (hotel_id.get(), night.room_type_id.get(), day_of(night.stay_date));
        let left: BTreeMap<Night, i32> = left.iter().map(|night| (key(night), night.rooms_left)).collect();
        let rooms = || request.rooms.iter().map(RoomRequest::room);
        let (night, rooms_left) = match shortage(&nights_of(hotel_id.get(), rooms()), &left) {
            None => return Ok(()),
            Some(Shortage::NotOnSale) => return Err(ReservationError::NotOnSale),
            Some(Shortage::SoldOut(night, rooms_left)) => (night, rooms_left),
        };
        let room = short_room(rooms(), night, rooms_left);
        let (stay_date, rooms_left) = (date_of(night.2), Some(rooms_left));
        let hold_expire_time = self.store.earliest_holds(BTreeSet::from([night])).await?.remove(&night);
        Err(ReservationError::SoldOut { room, stay_date, rooms_left, hold_expire_time })
    }
}

fn key_of(room: &RoomRequest) -> (Date, Date, RoomTypeId) {
    (room.stay.check_in(), room.stay.check_out(), room.room_type_id)
}
