//! Parses requests into domain values. Every invalid field is reported, not only the first.
//!
//! Output-only fields (`hotel_id`, `create_time`, ..) are ignored, so that a resource can be read, edited and sent back
//! whole.

mod hotel;
mod list;
mod mask;
mod room;
mod room_type;
mod validate;

pub(super) use hotel::{hotel_change, new_hotel};
pub(super) use list::{hotel_list, room_list, room_type_list};
pub(super) use room::{new_room, room_change};
pub(super) use room_type::{new_room_type, room_type_change};

use prost::Message;
use prost_types::FieldMask;
use staymesh_domain::{FieldError, FieldErrors, HotelId, IdError, parse_optional_request_id};
use staymesh_mesh::{Caller, Problem};
use staymesh_store::idempotency::RequestKey;

use mask::Mask;

/// An id, which must be positive. Errors name the id type's own field.
pub(super) fn id<Id: TryFrom<i32, Error = IdError>>(value: i32) -> Result<Id, Problem> {
    Ok(Id::try_from(value).map_err(FieldError::from)?)
}

/// A hotel, and a room type or a room of it.
///
/// # Errors
/// `INVALID_FIELD` naming both ids if both are invalid.
pub(super) fn ids<Id>(hotel_id: i32, id: i32) -> Result<(HotelId, Id), Problem>
where
    Id: TryFrom<i32, Error = IdError>,
{
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(hotel_id));
    let id = errors.value(Id::try_from(id));
    Ok(errors.complete(hotel_id.zip(id))?)
}

/// A parsed message, and the id of what it is about.
///
/// # Errors
/// Every invalid field.
pub(super) fn of<Id, T>(id: i32, parsed: Result<T, FieldErrors>) -> Result<(Id, T), FieldErrors>
where
    Id: TryFrom<i32, Error = IdError>,
{
    let mut errors = FieldErrors::default();
    let id = errors.value(Id::try_from(id));
    let parsed = errors.all(parsed);
    errors.complete(id.zip(parsed))
}

/// What is to be created, and the idempotency key if the caller sent a `request_id`. `content` is the request without that
/// id.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field.
pub(super) fn create<T>(
    caller: &Caller,
    request_id: &str,
    (method, content): (&str, &impl Message),
    fields: Result<T, FieldErrors>,
) -> Result<(Option<RequestKey>, T), Problem> {
    let mut errors = FieldErrors::default();
    let request_id = errors.value(parse_optional_request_id(request_id));
    let fields = errors.all(fields);
    let (request_id, fields) = errors.complete(request_id.zip(fields))?;
    let key = request_id.map(|id| RequestKey::new(&*caller.subject, id, method, &content.encode_to_vec()));
    Ok((key, fields))
}

/// The resource that a create carries, which is required.
fn required<T>(field: &'static str, resource: Option<T>) -> Result<T, FieldErrors> {
    let mut errors = FieldErrors::default();
    let resource = errors.value(resource.ok_or_else(|| FieldError::new(field, "is required")));
    errors.complete(resource)
}

/// The resource that an update carries, which is required, and the fields of it that change.
fn masked<T>(
    field: &'static str,
    resource: Option<T>,
    mask: Option<&FieldMask>,
    changeable: &[&'static str],
) -> Result<(T, Mask), FieldErrors> {
    let mut errors = FieldErrors::default();
    let mask = errors.value(Mask::parse(mask, changeable));
    let resource = errors.all(required(field, resource));
    errors.complete(resource.zip(mask))
}
