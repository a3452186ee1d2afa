//! Who calls, and whether they may.
//!
//! A token is verified here even when the edge has verified it: a service trusts no network. Who may call which method is
//! read from the contract ([`AccessTable`]); whose data a caller may touch is decided in the services, with [`Caller`].

mod caller;
mod claims;
mod keys;
mod revocation;

pub use caller::Caller;
pub(crate) use caller::unauthenticated;
pub use claims::Claims;
pub use keys::{KeySource, RemoteKeys, TokenError, TokenVerifier};
pub use revocation::{Revocations, RevokedSession};
pub use staymesh_api::options::v1::Role;
pub use staymesh_contract::{AccessTable, Rule};
