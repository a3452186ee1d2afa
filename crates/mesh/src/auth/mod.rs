//! Authentication and authorization of callers.
//!
//! - [`TokenVerifier`] verifies access tokens, also those that the edge has verified: services do not trust the network.
//! - [`AccessTable`] says which roles may call a method; it is read from the contract.
//! - [`RoleGateways`] says which gateway accepts the tokens of a role; it is read from the contract.
//! - [`Caller`] is the verified caller. Services use it to decide whose data the caller may read and change.
//! - [`Revocations`] lists logins that ended before their tokens expire.

mod caller;
mod claims;
mod keys;
mod revocation;

pub use caller::Caller;
pub(crate) use caller::unauthenticated;
pub use claims::Claims;
pub use keys::{KeySource, RemoteKeys, TokenError, TokenVerifier};
pub use revocation::{REMEMBERED, RemoteRevocations, RevocationSource, Revocations, Standing};
pub use staymesh_api::options::v1::Role;
pub use staymesh_contract::{AccessTable, RoleGateways, Rule};
