//! What tests stand on: real stores, each test with its own.

mod postgres;

pub use postgres::TestDatabase;
