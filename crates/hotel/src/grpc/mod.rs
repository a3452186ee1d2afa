//! The contract's two services: a request in, a checked value to the service or store, an answer out.

mod admin;
mod answer;
mod read;
mod reads;

pub use admin::Admin;
pub use reads::Reads;

use staymesh_domain::FieldError;
use staymesh_mesh::Problem;

/// An id of the contract, which must be positive.
fn id(field: &'static str, value: i32) -> Result<i32, FieldError> {
    if value > 0 { Ok(value) } else { Err(FieldError::new(field, format!("must be positive, not {value}"))) }
}

/// The message that a request is about.
fn required<T>(field: &'static str, message: Option<T>) -> Result<T, Problem> {
    message.ok_or_else(|| Problem::field(field, "is required"))
}

#[cfg(test)]
mod tests;
