//! The ledger: double-entry bookkeeping of who owes and owns what.
//!
//! - An [`Account`] is an asset, a liability or a revenue in one currency, such as what a hotel is owed.
//! - A [`Posting`] is a ledger transaction: debit and credit entries that sum to zero. A debit is positive, a credit
//!   negative, both in minor units of one currency.
//! - The kind and the source id of a posting identify it: posting it again has no effect.
//! - A wallet caches the sum of the entries of an account; see [`wallets`].
//!
//! What is posted is decided by pure functions ([`postings`], [`Split`]). [`post`] writes it on the caller's connection, in
//! the database transaction of the change that it records; the database verifies the sum when that transaction commits.
//! Entries are append-only. The tables belong to the database of the payment service.

mod account;
pub mod postings;
mod split;
mod store;
pub mod wallets;

#[cfg(test)]
mod testing;

pub use account::Account;
pub use postings::{Holder, Kind, Line, Posting, Sold};
pub use split::Split;
pub use store::post::{post, post_all, post_at};
