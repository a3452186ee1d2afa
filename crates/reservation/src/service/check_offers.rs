//! Checks of offer tokens, valid or expired, against today's rooms and prices. Nothing here writes or holds rooms.

use futures::future::try_join_all;
use jiff::Timestamp;
use staymesh_domain::{HotelId, Parties, ReservationId};
use staymesh_mesh::{Caller, Problem, Reason};
use tonic::Code;

use super::{
    BookingService,
    offers::{OfferLine, Offers, StayRequest},
    owners::booking_owner,
    prepare::{OrderForm, RoomRequest, RoomsRequest},
};
use crate::{
    error::ReservationError,
    group_block::GroupBlockKey,
    offer_token::{Offer, OfferError},
    room_line::{RoomLine, RoomLinesSum},
};

/// Most room types that are offered instead of those that are sold out.
const MAX_ALTERNATIVES: usize = 5;

/// Most tokens that are checked at a time.
const CONCURRENT_CHECKS: usize = 4;

/// What became of the offer of a token.
pub(crate) enum OfferCheck {
    /// The token is not one of the caller.
    Tampered,
    /// It is the caller's.
    Read(Box<ReadOffer>),
}

/// An offer of the caller, and what became of it.
pub(crate) struct ReadOffer {
    pub(crate) offer: Offer,
    /// What its rooms add up to.
    pub(crate) sum: RoomLinesSum,
    pub(crate) result: CheckResult,
}

/// Whether an offer can still be booked, and how.
pub(crate) enum CheckResult {
    /// Rooms are left. With a new token for today's prices, and the rooms by index whose price or terms differ from the
    /// signed ones.
    Available(Box<OrderForm>, Vec<usize>),
    /// [`ReservationError::SoldOut`] or [`ReservationError::NotOnSale`]; with other room types that are left.
    SoldOut(ReservationError, Alternatives),
    /// A rule of the hotel refuses the rooms today: [`ReservationError::StopSell`] or [`ReservationError::Misfit`].
    Restricted(ReservationError),
    /// The stay can no longer be booked, whatever is left: the reason of its refusal.
    Invalid(Reason),
}

/// Other room types of the hotel that have rooms for every party in all nights, cheapest first.
#[derive(Default)]
pub(crate) struct Alternatives {
    /// At most [`MAX_ALTERNATIVES`].
    pub(crate) lines: Vec<OfferLine>,
    /// Whether a child of the parties is counted as an adult.
    pub(crate) children_priced_as_adults: bool,
}

impl BookingService {
    /// Checks offer tokens of the caller one by one, in their order.
    ///
    /// # Errors
    /// When another service or the database fails.
    pub(crate) async fn check_offers(
        &self,
        caller: &Caller,
        tokens: &[String],
        now: Timestamp,
    ) -> Result<Vec<OfferCheck>, ReservationError> {
        let mut checks = Vec::with_capacity(tokens.len());
        for tokens in tokens.chunks(CONCURRENT_CHECKS) {
            checks.extend(try_join_all(tokens.iter().map(|token| self.check_offer(caller, token, now))).await?);
        }
        Ok(checks)
    }

    async fn check_offer(&self, caller: &Caller, token: &str, now: Timestamp) -> Result<OfferCheck, ReservationError> {
        let offer = match self.offers.verify(token) {
            Ok(offer) if booking_owner(caller, offer.reservation_id.hotel_id()).as_ref() == Some(&offer.owner) => offer,
            Ok(_) | Err(_) => return Ok(OfferCheck::Tampered),
        };
        let sum = RoomLine::sum(&offer.lines).map_err(|_| OfferError::Tampered)?;
        let of = (offer.reservation_id, &*offer.owner);
        let group_block = offer.group_block.map(GroupBlockKey::Id);
        let request = RoomsRequest { group_block, ..rooms_of(&offer.lines, offer.reservation_id.hotel_id(), &sum) };
        let mut result = self.check_rooms(of, &offer.lines, request.clone(), now).await?;
        if let CheckResult::SoldOut(_, alternatives) = &mut result {
            *alternatives = self.alternatives(&request, now).await?;
        }
        Ok(OfferCheck::Read(Box::new(ReadOffer { offer, sum, result })))
    }

    /// Prepares rooms once more, for this reservation id and owner. For an offer it is the same id: a booking whose answer was
    /// lost is not made twice.
    ///
    /// # Errors
    /// When another service or the database fails.
    pub(super) async fn check_lines(
        &self,
        (id, owner): (ReservationId, &str),
        lines: &[RoomLine],
        sum: &RoomLinesSum,
        now: Timestamp,
    ) -> Result<CheckResult, ReservationError> {
        self.check_rooms((id, owner), lines, rooms_of(lines, id.hotel_id(), sum), now).await
    }

    /// As [`Self::check_lines`], for the rooms of a request, which are those of the lines. Looks for no alternatives.
    async fn check_rooms(
        &self,
        (id, owner): (ReservationId, &str),
        lines: &[RoomLine],
        request: RoomsRequest,
        now: Timestamp,
    ) -> Result<CheckResult, ReservationError> {
        match self.order_form(id, owner.to_owned(), request, now).await {
            Ok(form) => {
                let pairs = lines.iter().zip(&form.offer.lines).enumerate();
                let changed = pairs.filter(|(_, (old, new))| !old.quote.offers_same(&new.quote)).map(|(at, _)| at);
                let changed = changed.collect();
                Ok(CheckResult::Available(Box::new(form), changed))
            }
            Err(error @ (ReservationError::SoldOut { .. } | ReservationError::NotOnSale)) => {
                Ok(CheckResult::SoldOut(error, Alternatives::default()))
            }
            Err(error @ (ReservationError::StopSell { .. } | ReservationError::Misfit(_))) => {
                Ok(CheckResult::Restricted(error))
            }
            Err(error) => {
                let problem = Problem::from(error);
                match problem.reason().code() {
                    Code::NotFound | Code::FailedPrecondition | Code::InvalidArgument => {
                        Ok(CheckResult::Invalid(problem.reason()))
                    }
                    _ => Err(problem.into()),
                }
            }
        }
    }

    /// Room types that none of the rooms has, for all of the parties and nights.
    ///
    /// # Errors
    /// When another service or the database fails.
    async fn alternatives(&self, request: &RoomsRequest, now: Timestamp) -> Result<Alternatives, ReservationError> {
        let parties = Parties::new(request.rooms.iter().map(|room| room.party.clone()).collect());
        let parties = parties.map_err(|_| OfferError::Tampered)?;
        let stay = StayRequest { hotel_id: request.hotel_id, stay: request.stay, parties };
        let Offers { mut lines, children_priced_as_adults, .. } = self.offers(&stay, now).await?;
        lines.retain(|line| request.rooms.iter().all(|room| room.room_type_id != line.room_type.room_type_id));
        lines.truncate(MAX_ALTERNATIVES);
        Ok(Alternatives { lines, children_priced_as_adults })
    }
}

/// The rooms of lines as they were asked for.
fn rooms_of(lines: &[RoomLine], hotel_id: HotelId, sum: &RoomLinesSum) -> RoomsRequest {
    let room =
        |line: &RoomLine| RoomRequest { room_type_id: line.room_type_id, stay: line.stay, party: line.party.clone() };
    RoomsRequest { hotel_id, stay: sum.stay, rooms: lines.iter().map(room).collect(), group_block: None }
}

#[cfg(test)]
mod tests;
