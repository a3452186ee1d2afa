//! How an error leaves a service: a [`Reason`] of the contract, wrapped with message and details in a [`Problem`].

mod problem;

pub use problem::{Problem, link_error_pages};
pub use staymesh_contract::{ERROR_DOMAIN, Reason};
