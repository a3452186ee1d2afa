//! Quotes of changes: what a change costs, signed. Nothing here writes or holds rooms.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, civil::Date};
use staymesh_domain::{FieldError, HotelTime, Money, RoomTypeId, StayDates};
use staymesh_mesh::{Caller, Problem};

use super::{ChangeRequest, targets::Targets};
use crate::{
    clients::HotelInfo,
    error::ReservationError,
    lifecycle::{is_of_stays_in_house, require_changeable, require_possible, require_standing},
    model::Reservation,
    night::{Night, NightSale, date_of, day_of},
    offer_token::{MAX_TOKEN, change::QuotedChange},
    quote::Quote,
    room_line::{self, RoomLine, RoomLinesSum, Shortage, short_room, shortage},
    room_status::RoomStatus,
    rooms_change::{BookedRoom, PlacedRoom, Reprice, RoomsChange, TodayPrices, delta, growth, kept_nights},
    service::{BookingService, offers::require_bookable, parties::require_parties_fit},
    store::NightLeft,
};

/// A quoted change with its signed token.
pub(crate) struct ChangeForm {
    /// The reservation as it is.
    pub(crate) booking: Reservation,
    pub(crate) quoted: QuotedChange,
    /// The rooms after the change.
    pub(crate) after: Vec<PlacedRoom>,
    /// What they add up to.
    pub(crate) sum: RoomLinesSum,
    pub(crate) token: String,
}

/// Today's prices of one room, by its dates and type.
type Prices = BTreeMap<(StayDates, RoomTypeId), Quote>;

impl BookingService {
    /// What a change of a reservation costs, signed for the caller.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::NotChangeable`], [`ReservationError::ChangePending`], every wrong
    /// field, [`ReservationError::Misfit`], [`ReservationError::NotOnSale`], [`ReservationError::SoldOut`]; and when the
    /// hotel or rate service or the database fails.
    pub(crate) async fn quote_change(
        &self,
        caller: &Caller,
        booking: Reservation,
        request: &ChangeRequest,
        now: Timestamp,
    ) -> Result<ChangeForm, ReservationError> {
        let in_house = booking.lines.iter().any(|line| line.status == RoomStatus::InHouse);
        if request.by_staff && in_house {
            require_standing(&booking)?;
        } else {
            require_changeable(&booking, now)?;
        }
        let targets = Targets::of(&booking, request).map_err(Problem::from)?;
        if targets.touches_arrived() {
            return Err(ReservationError::CheckedIn);
        }
        let prices = self.today(&booking, &targets, now).await?;
        let change = priced(&booking, targets, &prices, request.reprice, now)?;
        require_possible(&booking, &change, now)?;
        let after = change.applied_to(&booking.placed())?;
        let lines: Vec<RoomLine> = after.iter().map(|room| room.line.clone()).collect();
        // Rooms with prices in two currencies are refused before they are signed.
        let sum = RoomLine::sum(&lines)?;
        let begins = [sum.quote.terms.cancel_before, booking.quote.terms.cancel_before];
        let ends = begins.into_iter().filter(|_| !is_of_stays_in_house(&booking, &change));
        // After the next deadline, what is kept of dropped rooms and nights is another amount.
        let deadlines = room_line::deadlines(&booking.lines, &booking.quote.terms, booking.create_time)?;
        let next = deadlines.into_iter().filter_map(|deadline| deadline.until).filter(|until| now <= *until).min();
        let quoted = QuotedChange {
            reservation_id: booking.id,
            caller: caller.subject.clone(),
            revision: booking.revision,
            expires: QuotedChange::expiry(now, ends.chain(next)),
            change,
        };
        let token = self.offers.sign_change(&quoted).map_err(|error| Problem::internal(&error))?;
        if token.len() > MAX_TOKEN {
            return Err(FieldError::new("rooms", "are too many different rooms and nights for one change").into());
        }
        Ok(ChangeForm { booking, quoted, after, sum, token })
    }

    /// Today's prices of the rooms that are priced anew. Checks that they can be booked, fit their parties, and are left.
    async fn today(
        &self,
        booking: &Reservation,
        targets: &Targets,
        now: Timestamp,
    ) -> Result<Prices, ReservationError> {
        let rooms: Vec<_> = targets.priced().cloned().collect();
        let Some(stay) = span(&rooms.iter().map(|room| room.stay).collect::<Vec<_>>())? else {
            return Ok(Prices::new());
        };
        let hotel_id = booking.id.hotel_id();
        let types: BTreeSet<RoomTypeId> = rooms.iter().map(|room| room.room_type_id).collect();
        let ids: Vec<RoomTypeId> = types.iter().copied().collect();
        let (hotel, room_types, left) = tokio::join!(
            self.hotels.hotel(hotel_id),
            self.room_types(hotel_id, &types),
            self.store.nights_left(hotel_id, stay, &ids)
        );
        let HotelInfo { time, child_rules, .. } = hotel?;
        for room in &rooms {
            require_bookable(&time, room.stay, now)?;
        }
        let parties = rooms.iter().map(|room| (room.room_type_id, &room.party));
        require_parties_fit(&child_rules, &room_types?, parties)?;
        let left = left?;
        require_rooms(booking, targets, &left)?;
        self.prices(booking, targets, &time, &left).await
    }

    /// Today's prices for all nights of each room that is priced anew, and for those nights of its that it keeps.
    async fn prices(
        &self,
        booking: &Reservation,
        targets: &Targets,
        time: &HotelTime,
        left: &[NightLeft],
    ) -> Result<Prices, ReservationError> {
        let mut types: BTreeMap<StayDates, BTreeSet<RoomTypeId>> = BTreeMap::new();
        for room in targets.priced() {
            types.entry(room.stay).or_default().insert(room.room_type_id);
        }
        for (before, room) in &targets.changed {
            if let Some(kept) = kept_nights(before.line.stay, room.stay) {
                types.entry(kept).or_default().insert(room.room_type_id);
            }
        }
        self.room_prices(booking.id.hotel_id(), types, time, left).await
    }
}

/// The change with the prices of its rooms and what is kept of what it drops.
fn priced(
    booking: &Reservation,
    targets: Targets,
    prices: &Prices,
    reprice: Reprice,
    now: Timestamp,
) -> Result<RoomsChange, ReservationError> {
    let price = |stay, room_type_id| prices.get(&(stay, room_type_id)).cloned().ok_or(ReservationError::NotOnSale);
    let booked = booking.create_time;
    let mut penalty = Money::zero(booking.quote.currency());
    let mut rooms = Vec::new();
    for PlacedRoom { line, .. } in &targets.dropped {
        penalty = penalty.checked_add(BookedRoom { line, booked }.penalty(now))?;
    }
    for (PlacedRoom { position, line }, room) in targets.changed {
        let kept = kept_nights(line.stay, room.stay).filter(|kept| *kept != room.stay);
        let today = TodayPrices {
            whole: price(room.stay, room.room_type_id)?,
            kept: kept.map(|kept| price(kept, room.room_type_id)).transpose()?,
        };
        let terms = (room.room_type_id, room.stay, &room.party);
        let after = BookedRoom { line: &line, booked }.priced(terms, &today, reprice, now)?;
        penalty = penalty.checked_add(after.penalty)?;
        let (room_type_id, stay, party) = (room.room_type_id, room.stay, room.party);
        rooms.push(PlacedRoom {
            position,
            line: RoomLine { room_type_id, stay, party, quote: after.quote, status: RoomStatus::Live },
        });
    }
    for (PlacedRoom { position, line }, room) in targets.extended {
        let quote = BookedRoom { line: &line, booked }.extended_by(&price(room.stay, room.room_type_id)?)?;
        let stay = lasting(&line, room.stay.check_out())?;
        rooms.push(PlacedRoom { position, line: RoomLine { stay, quote, ..line } });
    }
    let mut added = targets.added;
    for (PlacedRoom { position, line }, other, room) in targets.moved {
        let stay = lasting(&line, room.stay.check_in())?;
        let of_other = price(room.stay, room.room_type_id)?;
        let left = BookedRoom { line: &line, booked }.moved_from(stay, &of_other, reprice, now)?;
        penalty = penalty.checked_add(left.penalty)?;
        rooms.push(PlacedRoom { position, line: RoomLine { stay, quote: left.quote, ..line } });
        added.push((other, room));
    }
    for (position, room) in added {
        let (room_type_id, stay, party) = (room.room_type_id, room.stay, room.party);
        let quote = price(stay, room_type_id)?;
        let terms = quote.terms.clone().with_grace_resolved(booked);
        rooms.push(PlacedRoom {
            position,
            line: RoomLine { room_type_id, stay, party, quote: Quote { terms, ..quote }, status: RoomStatus::Live },
        });
    }
    Ok(RoomsChange::new(&booking.placed(), targets.kept, rooms, penalty)?)
}

/// The stay of a room with another check-out date.
fn lasting(line: &RoomLine, check_out: Date) -> Result<StayDates, ReservationError> {
    let wrong = |_| FieldError::new("rooms", "have dates that are no stay");
    Ok(StayDates::new(line.stay.check_in(), check_out).map_err(wrong)?)
}

/// Requires that what a change adds in each night is left in it.
///
/// # Errors
/// [`ReservationError::NotOnSale`] and [`ReservationError::SoldOut`].
fn require_rooms(booking: &Reservation, targets: &Targets, left: &[NightLeft]) -> Result<(), ReservationError> {
    let hotel_id = booking.id.hotel_id().get();
    let key = |night: &NightLeft| (hotel_id, night.room_type_id.get(), day_of(night.stay_date));
    let left: BTreeMap<Night, NightSale> = left.iter().map(|night| (key(night), night.sale())).collect();
    let placed = |position, room_type_id, stay, line: &RoomLine| PlacedRoom {
        position,
        line: RoomLine { room_type_id, stay, ..line.clone() },
    };
    let booked = booking.placed();
    let mut after: Vec<_> = booked.iter().filter(|room| targets.kept.contains(&room.position)).cloned().collect();
    for (before, room) in &targets.changed {
        after.push(placed(before.position, room.room_type_id, room.stay, &before.line));
    }
    for (before, room) in &targets.extended {
        let stay = lasting(&before.line, room.stay.check_out())?;
        after.push(placed(before.position, room.room_type_id, stay, &before.line));
    }
    for (before, other, room) in &targets.moved {
        let stay = lasting(&before.line, room.stay.check_in())?;
        after.push(placed(before.position, before.line.room_type_id, stay, &before.line));
        after.push(placed(*other, room.room_type_id, room.stay, &before.line));
    }
    if let Some(any) = booked.first() {
        let added = targets.added.iter();
        after.extend(added.map(|(position, room)| placed(*position, room.room_type_id, room.stay, &any.line)));
    }
    after.sort_by_key(|room| room.position);
    let has = |night: Night| booking.nights().get(&night).copied().unwrap_or_default();
    let short = |night: Night, rooms_left: i32| {
        short_room(after.iter().map(|room| room.line.room()), night, rooms_left.saturating_add(has(night)))
    };
    match shortage(&growth(&delta(hotel_id, &booked, &after)), &left) {
        None => Ok(()),
        Some(Shortage::NotOnSale) => Err(ReservationError::NotOnSale),
        Some(Shortage::StopSell(night)) => {
            let room = short(night, 0);
            Err(ReservationError::StopSell { room, stay_date: date_of(night.2) })
        }
        Some(Shortage::SoldOut(night, rooms_left)) => Err(ReservationError::SoldOut {
            room: short(night, rooms_left),
            stay_date: date_of(night.2),
            rooms_left: Some(rooms_left),
            hold_expire_time: None,
        }),
    }
}

/// From the first check-in to the last check-out; `None` without a stay.
fn span(stays: &[StayDates]) -> Result<Option<StayDates>, ReservationError> {
    let check_in = stays.iter().map(|stay| stay.check_in()).min();
    let check_out = stays.iter().map(|stay| stay.check_out()).max();
    let Some((check_in, check_out)) = check_in.zip(check_out) else { return Ok(None) };
    let too_long = |_| FieldError::new("rooms", "have dates that are too far apart");
    Ok(Some(StayDates::new(check_in, check_out).map_err(too_long)?))
}

#[cfg(test)]
mod tests;
