//! Availability and offers. Nothing here writes or holds rooms.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{ChildRules, FieldError, HotelId, HotelTime, Page, Parties, RoomTypeId, StayDates};

use super::BookingService;
use crate::{
    clients::{HotelInfo, RoomTypeDemand, RoomTypeInfo},
    error::ReservationError,
    fit::{RoomMisfit, misfits},
    quote::Quote,
    store::NightLeft,
};

/// Most room types that the rate service prices in one call.
const PRICE_BATCH: usize = 100;

/// A stay that a caller searches for.
#[derive(Clone, Debug)]
pub(crate) struct StayRequest {
    pub(crate) hotel_id: HotelId,
    pub(crate) stay: StayDates,
    /// Who sleeps in each room.
    pub(crate) parties: Parties,
}

/// What is left of a room type for a stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Availability {
    pub(crate) room_type_id: RoomTypeId,
    /// Rooms left in the night with the fewest; 0 when a night has no inventory or is closed.
    pub(crate) rooms_left: i32,
    /// The nights that staff have closed.
    pub(crate) stop_sell: Vec<Date>,
    /// For each night with inventory, the share of its rooms that is sold or held, in percent.
    pub(crate) sold_percent: Vec<i32>,
}

/// A room type that can be booked.
pub(crate) struct OfferLine {
    pub(crate) room_type: RoomTypeInfo,
    pub(crate) rooms_left: i32,
    pub(crate) quote: Quote,
}

impl OfferLine {
    /// The place among the offers of a search: total in minor units, then room type.
    pub(crate) fn position(&self) -> (i64, i32) {
        (self.quote.total.minor(), self.room_type.room_type_id.get())
    }
}

/// The offers of a page, and the token of the next page. The search is done anew for each page: prices depend on what is left.
pub(crate) fn page_of(page: &Page<(i64, i32)>, mut offers: Vec<OfferLine>) -> (Vec<OfferLine>, String) {
    offers.retain(|line| page.after.is_none_or(|after| line.position() > after));
    page.cut(offers, OfferLine::position)
}

/// A room type that the parties do not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unsuitable {
    pub(crate) room_type: RoomTypeInfo,
    /// At least one.
    pub(crate) misfits: Vec<RoomMisfit>,
}

/// What a hotel has for a stay.
pub(crate) struct Offers {
    /// The cheapest first.
    pub(crate) lines: Vec<OfferLine>,
    /// By id.
    pub(crate) unsuitable: Vec<Unsuitable>,
    /// Whether a child is counted and priced as an adult for want of age bands.
    pub(crate) children_priced_as_adults: bool,
}

impl BookingService {
    /// What is left of each room type, for guests, and the room types that the parties do not fit. The hotel service is
    /// called when nothing is on sale, to find out whether the hotel exists, when rooms are left that the parties may not
    /// fit, and when the hotel's calendar decides whether the stay is in the past.
    ///
    /// # Errors
    /// `HOTEL_NOT_FOUND`, a violation of `check_in`, and when the hotel service or the database fails.
    pub(crate) async fn search(
        &self,
        request: &StayRequest,
        room_types: &[RoomTypeId],
        now: Timestamp,
    ) -> Result<(Vec<Availability>, BTreeMap<RoomTypeId, Vec<RoomMisfit>>), ReservationError> {
        let hotel_id = request.hotel_id;
        let (_, latest) = HotelTime::today_anywhere(now);
        let mut hotel = None;
        if request.stay.check_in() < latest {
            let known = self.hotels.hotel(hotel_id).await?;
            require_bookable(&known.time, request.stay, now)?;
            hotel = Some(known);
        }
        let left = self.availability(hotel_id, request.stay, room_types).await?;
        if left.iter().all(|left| left.sold_percent.is_empty()) {
            self.hotels.room_types(hotel_id).await?;
        }
        let rooms = request.parties.rooms().get();
        if request.parties.fit_everywhere() || left.iter().all(|left| left.rooms_left < rooms) {
            return Ok((left, BTreeMap::new()));
        }
        let hotel = async {
            match hotel {
                Some(known) => Ok(known),
                None => self.hotels.hotel(hotel_id).await,
            }
        };
        let (infos, hotel) = tokio::try_join!(self.hotels.room_types(hotel_id), hotel)?;
        let unsuitable = unsuitable(infos, &hotel.child_rules, &request.parties);
        Ok((left, unsuitable.into_iter().map(|each| (each.room_type.room_type_id, each.misfits)).collect()))
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

    /// The room types that have the rooms, fit the parties and have a rate, cheapest first; and those that do not fit.
    ///
    /// # Errors
    /// A violation of `check_in` if the stay is in the past at the hotel, and when the hotel or rate service or the database
    /// fails, or a price cannot be used.
    pub(crate) async fn offers(&self, request: &StayRequest, now: Timestamp) -> Result<Offers, ReservationError> {
        let (hotel, infos, left) = tokio::join!(
            self.hotels.hotel(request.hotel_id),
            self.hotels.room_types(request.hotel_id),
            self.availability(request.hotel_id, request.stay, &[])
        );
        let HotelInfo { time, child_rules: rules, .. } = hotel?;
        require_bookable(&time, request.stay, now)?;
        let (infos, left) = (infos?, left?);
        let mut room_types: BTreeMap<RoomTypeId, RoomTypeInfo> =
            infos.iter().map(|info| (info.room_type_id, info.clone())).collect();
        let unsuitable = unsuitable(infos, &rules, &request.parties);
        for unsuitable in &unsuitable {
            room_types.remove(&unsuitable.room_type.room_type_id);
        }
        let children_priced_as_adults =
            request.parties.as_slice().iter().any(|party| rules.prices_children_as_adults(party));
        let rooms = request.parties.rooms();
        let fitting: Vec<Availability> = left
            .into_iter()
            .filter(|left| left.rooms_left >= rooms.get() && room_types.contains_key(&left.room_type_id))
            .collect();
        let lines = self.priced(request, &time, &fitting, room_types).await?;
        Ok(Offers { lines, unsuitable, children_priced_as_adults })
    }

    /// The room types with their prices, cheapest first; those without a rate are left out.
    async fn priced(
        &self,
        request: &StayRequest,
        time: &HotelTime,
        fitting: &[Availability],
        mut room_types: BTreeMap<RoomTypeId, RoomTypeInfo>,
    ) -> Result<Vec<OfferLine>, ReservationError> {
        let mut prices = Vec::with_capacity(fitting.len());
        for batch in fitting.chunks(PRICE_BATCH) {
            let demand = batch.iter().map(demand).collect();
            let prices_of = self.rates.price(request.hotel_id, request.stay, time.clone(), demand);
            prices.extend(prices_of.await?);
        }
        let left: BTreeMap<RoomTypeId, i32> = fitting.iter().map(|a| (a.room_type_id, a.rooms_left)).collect();
        let mut lines = Vec::new();
        for price in prices {
            if let (Some(room_type), Some(rooms_left)) =
                (room_types.remove(&price.room_type_id), left.get(&price.room_type_id))
            {
                // Each room is priced by itself, as in a booking.
                let others = (1..request.parties.rooms().get()).map(|_| &price.quote);
                let quote = Quote::together(&price.quote, others)?;
                lines.push(OfferLine { room_type, rooms_left: *rooms_left, quote });
            }
        }
        lines.sort_by_key(OfferLine::position);
        Ok(lines)
    }
}

/// Requires that the stay is neither in the past at the hotel nor beyond its sales period.
///
/// # Errors
/// A violation of `check_in` or `check_out`.
pub(super) fn require_bookable(time: &HotelTime, stay: StayDates, now: Timestamp) -> Result<(), ReservationError> {
    Ok(stay.require_bookable(time.today(now)?).map_err(FieldError::from)?)
}

/// The room types that a party does not fit, by id.
fn unsuitable(mut infos: Vec<RoomTypeInfo>, rules: &ChildRules, parties: &Parties) -> Vec<Unsuitable> {
    infos.sort_by_key(|info| info.room_type_id);
    let judged = infos.into_iter().map(|room_type| {
        let rooms = parties.as_slice().iter().map(|party| (&room_type.occupancy, party));
        let misfits = misfits(rules, rooms);
        Unsuitable { room_type, misfits }
    });
    judged.filter(|judged| !judged.misfits.is_empty()).collect()
}

pub(super) fn demand(left: &Availability) -> RoomTypeDemand {
    RoomTypeDemand { room_type_id: left.room_type_id, sold_percent: left.sold_percent.clone() }
}

pub(super) fn summarize(room_type_id: RoomTypeId, nights: &[NightLeft], stay: StayDates) -> Availability {
    let complete = i32::try_from(nights.len()) == Ok(stay.night_count());
    let fewest = nights.iter().map(|night| night.rooms_left).min().unwrap_or(0);
    let stop_sell: Vec<_> = nights.iter().filter(|night| night.stop_sell).map(|night| night.stay_date).collect();
    Availability {
        room_type_id,
        rooms_left: if complete && stop_sell.is_empty() { fewest.max(0) } else { 0 },
        stop_sell,
        sold_percent: nights.iter().map(sold_percent).collect(),
    }
}

fn sold_percent(night: &NightLeft) -> i32 {
    // A night without a room that can be used counts as fully sold.
    (night.total_reserved * 100).checked_div(night.usable_rooms).unwrap_or(100)
}

#[cfg(test)]
mod tests;
