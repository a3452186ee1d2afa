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
use staymesh_domain::{FieldError, IdError, parse_optional_request_id};
use staymesh_mesh::{Caller, Problem};
use staymesh_store::idempotency::RequestKey;

/// An id, which must be positive. Errors name the id type's own field.
pub(super) fn id<Id: TryFrom<i32, Error = IdError>>(value: i32) -> Result<Id, Problem> {
    Ok(Id::try_from(value).map_err(FieldError::from)?)
}

/// The idempotency key of a create, if the caller sent a `request_id`. `content` is the request without that id.
pub(super) fn key(
    caller: &Caller,
    request_id: &str,
    method: &str,
    content: &impl Message,
) -> Result<Option<RequestKey>, Problem> {
    let request_id = parse_optional_request_id(request_id)?;
    Ok(request_id.map(|id| RequestKey::new(&*caller.subject, id, method, &content.encode_to_vec())))
}

/// The resource that a create or an update carries, which is required.
fn required<T>(field: &'static str, resource: Option<T>) -> Result<T, Problem> {
    resource.ok_or_else(|| Problem::field(field, "is required"))
}
