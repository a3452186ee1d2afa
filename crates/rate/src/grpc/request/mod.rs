//! Parses requests into domain values. Every invalid field is reported, not only the first.

mod night;
mod policy;
mod rate;
mod stay;
mod tax;

pub(super) use night::{night_list, nights};
pub(super) use rate::rate;
pub(super) use stay::stay;
pub(super) use tax::taxes;

use staymesh_api::r#type::v1 as types;
use staymesh_domain::{FieldError, FieldErrors, HotelId, IdError, Money, RoomTypeId};
use staymesh_mesh::{Problem, proto_types::money_from};

use crate::model::MAX_PRICE_MINOR;

/// An id, which must be positive. Errors name the id type's own field.
pub(super) fn id<Id: TryFrom<i32, Error = IdError>>(value: i32) -> Result<Id, Problem> {
    Ok(Id::try_from(value).map_err(FieldError::from)?)
}

/// The ids that name a room type.
pub(super) fn ids(hotel_id: i32, room_type_id: i32) -> Result<(HotelId, RoomTypeId), Problem> {
    let (ids, ()) = of_room_type(hotel_id, room_type_id, Ok(()))?;
    Ok(ids)
}

/// A parsed message about a room type, and the ids that name that.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field.
pub(super) fn of_room_type<T>(
    hotel_id: i32,
    room_type_id: i32,
    parsed: Result<T, FieldErrors>,
) -> Result<((HotelId, RoomTypeId), T), Problem> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(hotel_id));
    let room_type_id = errors.value(RoomTypeId::try_from(room_type_id));
    let parsed = errors.all(parsed);
    Ok(errors.complete(hotel_id.zip(room_type_id).zip(parsed))?)
}

/// A parsed message about a hotel, and its id.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field.
pub(super) fn of_hotel<T>(hotel_id: i32, parsed: Result<T, FieldErrors>) -> Result<(HotelId, T), Problem> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(hotel_id));
    let parsed = errors.all(parsed);
    Ok(errors.complete(hotel_id.zip(parsed))?)
}

/// A price, which must be more than zero: a stay that costs nothing cannot be paid.
fn price(amount: Option<&types::Money>, field: &str) -> Result<Money, FieldError> {
    let price = money_from(amount, field)?;
    if price.minor() <= 0 {
        return Err(FieldError::new(format!("{field}.amount"), "must be more than zero"));
    }
    within_offers(price, field)
}

/// Requires an amount for a room and night with which every offer can be computed.
fn within_offers(amount: Money, field: &str) -> Result<Money, FieldError> {
    if amount.minor() <= MAX_PRICE_MINOR {
        return Ok(amount);
    }
    let most = Money::from_minor(MAX_PRICE_MINOR, amount.currency()).map_err(|error| error.at(field))?.amount();
    Err(FieldError::new(format!("{field}.amount"), format!("must be at most {most}")))
}
