//! The persisted form of an offer's claims: rooms name their price by its index, because many have the same one.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use staymesh_domain::{GuestCount, Party, ReservationId, RoomCount, RoomTypeId, StayDates};
use uuid::Uuid;

use super::Offer;
use crate::{quote::Quote, room_line::RoomLine, room_status::RoomStatus};

/// Claims of either release. One type, because telling two types apart would read each price twice.
#[derive(Deserialize)]
pub(super) struct Claims {
    aud: String,
    exp: i64,
    reservation_id: ReservationId,
    owner: String,
    rooms: Rooms,
    #[serde(default)]
    prices: Vec<Quote>,
    // Of rooms of one type, as the release before signed them.
    room_type_id: Option<RoomTypeId>,
    check_in: Option<Date>,
    check_out: Option<Date>,
    guests: Option<GuestCount>,
    quote: Option<Quote>,
    group_block: Option<Uuid>,
}

/// Claims as this release signs them.
#[derive(Serialize)]
pub(super) struct SignedClaims {
    aud: String,
    exp: i64,
    reservation_id: ReservationId,
    owner: String,
    rooms: Vec<RoomClaims>,
    prices: Vec<Quote>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_block: Option<Uuid>,
}

#[derive(Serialize, Deserialize)]
struct RoomClaims {
    room_type_id: RoomTypeId,
    check_in: Date,
    check_out: Date,
    adults: i32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    child_ages: Vec<i32>,
    /// Index into `prices`.
    price: usize,
}

/// The rooms of claims.
#[derive(Deserialize)]
#[serde(untagged)]
enum Rooms {
    Lines(Vec<RoomClaims>),
    /// As the release before signed them: rooms of one type, for the same dates.
    OneType(RoomCount),
}

/// Claims that are signed but cannot be an offer, which this service does not sign.
#[derive(Debug, thiserror::Error)]
#[error("the claims are no offer")]
pub(super) struct ClaimsError;

impl TryFrom<Claims> for Offer {
    type Error = ClaimsError;

    fn try_from(claims: Claims) -> Result<Self, ClaimsError> {
        let (lines, of_release_before) = match claims.rooms {
            Rooms::Lines(rooms) => {
                let line = |room: RoomClaims| {
                    Ok(RoomLine {
                        room_type_id: room.room_type_id,
                        stay: StayDates::new(room.check_in, room.check_out).map_err(|_| ClaimsError)?,
                        party: Party::new(room.adults, room.child_ages).map_err(|_| ClaimsError)?,
                        quote: claims.prices.get(room.price).ok_or(ClaimsError)?.clone(),
                        status: RoomStatus::Live,
                    })
                };
                (rooms.into_iter().map(line).collect::<Result<_, _>>()?, false)
            }
            Rooms::OneType(rooms) => {
                let room_type_id = claims.room_type_id.ok_or(ClaimsError)?;
                let (check_in, check_out) = claims.check_in.zip(claims.check_out).ok_or(ClaimsError)?;
                let stay = StayDates::new(check_in, check_out).map_err(|_| ClaimsError)?;
                let (guests, quote) = claims.guests.zip(claims.quote).ok_or(ClaimsError)?;
                let lines = RoomLine::of_one_type(room_type_id, stay, rooms, guests, &quote);
                (lines.map_err(|_| ClaimsError)?, true)
            }
        };
        let Claims { aud, exp, reservation_id, owner, group_block, .. } = claims;
        Ok(Self { aud, exp, reservation_id, owner, lines, of_release_before, group_block })
    }
}

impl From<Offer> for SignedClaims {
    fn from(offer: Offer) -> Self {
        let mut prices: Vec<Quote> = Vec::new();
        let rooms = offer.lines.into_iter().map(|line| {
            let price = prices.iter().position(|known| *known == line.quote).unwrap_or(prices.len());
            if price == prices.len() {
                prices.push(line.quote);
            }
            RoomClaims {
                room_type_id: line.room_type_id,
                check_in: line.stay.check_in(),
                check_out: line.stay.check_out(),
                adults: line.party.adults(),
                child_ages: line.party.child_ages().to_vec(),
                price,
            }
        });
        let rooms = rooms.collect();
        let Offer { aud, exp, reservation_id, owner, group_block, .. } = offer;
        Self { aud, exp, reservation_id, owner, rooms, prices, group_block }
    }
}
