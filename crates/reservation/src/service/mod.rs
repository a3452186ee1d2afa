//! The rules of offering and booking, in domain terms. SQL is in `store/`, proto messages are in `grpc/` and `clients/`.

mod assignments;
mod booking;
mod by_hotel;
mod changes;
mod check_offers;
mod dependencies;
mod desk;
mod group_blocks;
mod holds;
mod inventory;
mod late_payments;
mod offers;
mod out_of_order;
mod owners;
mod parties;
mod partner_sales;
mod prepare;
mod room_guests;
#[cfg(test)]
mod staff_tests;
#[cfg(test)]
pub(crate) mod testing;
mod unpaid;

pub(crate) use assignments::RoomOrder;
pub(crate) use booking::{BookingRequest, list_scope};
pub(crate) use changes::{ChangeForm, ChangeRequest, DatesChange, RoomChangeRequest, may_reprice};
pub(crate) use check_offers::{Alternatives, CheckResult, OfferCheck, ReadOffer};
pub use dependencies::{BookingService, Dependencies};
pub(crate) use desk::DepartureRequest;
#[cfg(test)]
pub(crate) use desk::{StepOrder, step_rooms};
pub(crate) use offers::{OfferLine, Offers, StayRequest, Unsuitable, page_of};
pub(crate) use prepare::{OrderForm, RoomRequest, RoomsRequest};
pub(crate) use room_guests::{RoomGuestsUpdate, etag};
pub use unpaid::UnpaidLimits;
