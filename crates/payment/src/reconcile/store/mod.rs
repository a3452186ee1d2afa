//! The SQL of the reconciliation.

pub mod cases;
pub mod lines;
pub mod pairs;
pub mod payments;
pub mod runs;
pub mod wallets;
