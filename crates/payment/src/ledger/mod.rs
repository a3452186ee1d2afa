//! Who has what: double entry, written once, judged by the database when a transaction commits.
//!
//! What is posted is decided by pure functions ([`postings`], [`split`]); [`post`] writes it, in the same database
//! transaction as the change that it tells of. The kind and the source of a posting make it happen once. A debit is
//! positive, a credit negative, all in the minor units of a currency.

mod accounts;
pub mod backfill;
mod post;
pub mod postings;
mod split;
pub mod wallets;

#[cfg(test)]
mod backfill_tests;
#[cfg(test)]
mod guard;
#[cfg(test)]
mod tests;

pub use accounts::Account;
pub use post::{post, post_all};
pub use postings::{Kind, Line, Posting, Sold};
pub use split::Parts;
