//! Fixtures: callers and hotels created through the API, access to the databases, the payment providers.

mod books;
mod eventually;
mod private_mesh;
mod provider;
mod rest;
mod stripe;
mod world;

pub(crate) use books::{Books, assert_no_dead_letters, database};
pub(crate) use eventually::eventually;
pub(crate) use private_mesh::{PrivateMesh, operate, within_deadline};
pub(crate) use provider::{
    CHALLENGED_CARD, DECLINED_CARD, GOOD_CARD, POOR_CARD, Provider, REVIEWED_CARD, await_payment, open_payment,
    signature,
};
pub(crate) use rest::{Answer, Rest};
pub(crate) use stripe::Stripe;
pub(crate) use world::{HotelFixture, Stay, World, in_days, policy, terms};
