//! Callers and hotels for tests, made through the API like everybody's.

mod rest;
mod world;

pub(crate) use rest::{Answer, Rest};
pub(crate) use world::{HotelFixture, Stay, World, eventually, in_days};
