//! SQL, and nothing but SQL.

pub mod cases;
pub mod lines;
pub mod pairs;
pub mod runs;
pub mod stays;
pub mod wallets;
