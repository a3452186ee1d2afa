//! The SQL of the ledger.

mod account_id;
pub(crate) mod post;
pub(crate) mod wallets;

#[cfg(test)]
mod tests;
