//! A small data set and a walk through a booking: what `cargo xtask up` shows to a newcomer.

mod data;
mod smoke;

pub(crate) use data::DemoData;
pub(crate) use smoke::Smoke;
