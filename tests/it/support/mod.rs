//! Callers and hotels for tests, made through the API like everybody's.

mod books;
mod own;
mod provider;
mod rest;
mod stripe;
mod world;

pub(crate) use books::{Books, assert_nothing_parked, database};
pub(crate) use own::{OwnMesh, operate, within_deadline};
pub(crate) use provider::{
    CHALLENGED_CARD, DECLINED_CARD, GOOD_CARD, POOR_CARD, Provider, REVIEWED_CARD, await_payment, open_payment,
    signature,
};
pub(crate) use rest::{Answer, Rest};
pub(crate) use stripe::Stripe;
pub(crate) use world::{HotelFixture, Stay, World, eventually, in_days};
