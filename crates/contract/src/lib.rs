//! What the services and the edge read from the contract in `proto/`. Pure functions over the descriptor set; no I/O.
//!
//! | question | item |
//! |---|---|
//! | why did a call fail? | [`Reason`], with the [`ERROR_DOMAIN`] it is unique in |
//! | who may call a method? | [`AccessTable`], a [`Rule`] per method |
//! | which gateway accepts the tokens of a role? | [`RoleGateways`] |
//! | which files may callers at a gateway see? | [`visible_files`] |
//! | where is the page of a reason? | [`ErrorPages`] |
//! | which services, methods and REST forms exist? | [`Contract`] |
//! | which fields does a path template contain? | [`template`] |

mod access;
mod error_pages;
mod reason;
mod role_gateways;
mod services;
pub mod template;
mod visible;

pub use access::{AccessTable, Rule};
pub use error_pages::ErrorPages;
pub use reason::{ERROR_DOMAIN, Reason};
pub use role_gateways::RoleGateways;
pub use services::{Binding, Contract, ContractError, Method, Service, is_raw, spellings};
pub use visible::visible_files;

#[cfg(test)]
mod tests;
