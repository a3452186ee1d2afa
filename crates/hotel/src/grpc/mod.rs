//! The contract's two services: a request in, a checked value to the service or store, an answer out.

mod admin;
mod answer;
mod read;
mod reads;

pub use admin::Admin;
pub use reads::Reads;

use staymesh_domain::FieldError;
use staymesh_mesh::Problem;
use uuid::Uuid;

/// An id of the contract, which must be positive.
fn id(field: &'static str, value: i32) -> Result<i32, FieldError> {
    if value > 0 { Ok(value) } else { Err(FieldError::new(field, format!("must be positive, not {value}"))) }
}

/// The message that a request is about.
fn required<T>(field: &'static str, message: Option<T>) -> Result<T, Problem> {
    message.ok_or_else(|| Problem::field(field, "is required"))
}

/// A request id, if there is one.
fn request_id(text: &str) -> Result<Option<Uuid>, FieldError> {
    if text.is_empty() {
        return Ok(None);
    }
    // Other spellings that the crate would take are longer or shorter.
    let uuid = if text.len() == 36 { Uuid::try_parse(text).ok() } else { None };
    uuid.map(Some)
        .ok_or_else(|| FieldError::new("request_id", "must be a UUID such as 0192f0c1-7a2b-7c3d-9e4f-5a6b7c8d9e0f"))
}

#[cfg(test)]
mod tests;
