//! Builds the answers of offer checks.

use staymesh_api::reservation::v1 as proto;
use staymesh_domain::format_date;
use staymesh_mesh::{Problem, Reason, proto_types};

use super::response::{offer, price, price_together};
use crate::{
    error::ReservationError,
    service::{Alternatives, CheckResult, OfferCheck, OrderForm, ReadOffer},
};

/// What became of an offer.
///
/// # Errors
/// When an index or a time is out of range, which no offer reaches.
pub(super) fn offer_check(check: OfferCheck) -> Result<proto::OfferCheck, ReservationError> {
    let invalid = |reason: Reason| proto::OfferCheck {
        status: proto::OfferCheckStatus::Invalid.into(),
        reason: reason.as_str().to_owned(),
        ..proto::OfferCheck::default()
    };
    let ReadOffer { offer, sum, result } = match check {
        OfferCheck::Tampered => return Ok(invalid(Reason::OfferTampered)),
        OfferCheck::Read(read) => *read,
    };
    let result = match result {
        CheckResult::Available(form, changed) => available(*form, changed)?,
        CheckResult::SoldOut(error, alternatives) => sold_out(error, alternatives)?,
        CheckResult::Restricted(error) => restricted(error)?,
        CheckResult::Invalid(reason) => invalid(reason),
    };
    Ok(proto::OfferCheck {
        reservation_id: offer.reservation_id.to_string(),
        checked_expire_time: Some(proto_types::timestamp(offer.expires()?)),
        old_price: Some(price_together(&offer.lines, &sum.quote)),
        ..result
    })
}

fn available(form: OrderForm, changed: Vec<usize>) -> Result<proto::OfferCheck, ReservationError> {
    use proto::OfferCheckStatus::{Changed, Unchanged};
    Ok(proto::OfferCheck {
        status: if changed.is_empty() { Unchanged } else { Changed }.into(),
        offer_token: form.token,
        offer_expire_time: Some(proto_types::timestamp(form.offer.expires()?)),
        price: Some(price_together(&form.offer.lines, &form.sum.quote)),
        room_prices: form.offer.lines.iter().map(|line| price(line.room_type_id, &line.quote)).collect(),
        changed_rooms: changed.into_iter().map(index).collect::<Result<_, _>>()?,
        ..proto::OfferCheck::default()
    })
}

fn sold_out(error: ReservationError, alternatives: Alternatives) -> Result<proto::OfferCheck, ReservationError> {
    let mut check = proto::OfferCheck::default();
    if let ReservationError::SoldOut { room, stay_date, rooms_left, hold_expire_time } = &error {
        check.room = room.map(|room| index(room.index)).transpose()?;
        check.stay_date = stay_date.map(format_date).unwrap_or_default();
        check.rooms_left = *rooms_left;
        check.hold_expire_time = hold_expire_time.map(proto_types::timestamp);
    }
    let reason = Problem::from(error).reason().as_str().to_owned();
    let Alternatives { lines, children_priced_as_adults } = alternatives;
    let alternatives = lines.into_iter().map(|line| offer(line, children_priced_as_adults)).collect();
    Ok(proto::OfferCheck { status: proto::OfferCheckStatus::SoldOut.into(), reason, alternatives, ..check })
}

fn restricted(error: ReservationError) -> Result<proto::OfferCheck, ReservationError> {
    let mut check = proto::OfferCheck::default();
    if let ReservationError::StopSell { room, stay_date } = &error {
        check.room = room.map(|room| index(room.index)).transpose()?;
        check.stay_date = stay_date.map(format_date).unwrap_or_default();
    }
    let reason = Problem::from(error).reason().as_str().to_owned();
    Ok(proto::OfferCheck { status: proto::OfferCheckStatus::Restricted.into(), reason, ..check })
}

/// An index of a room, which are at most 50.
fn index(at: usize) -> Result<i32, ReservationError> {
    Ok(i32::try_from(at).map_err(|error| Problem::internal(&error))?)
}
