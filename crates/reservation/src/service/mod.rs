//! The rules of offering and booking, in domain terms. SQL is in `store/`, proto messages are in `grpc/` and `clients/`.

mod booking;
mod inventory;
mod offers;
mod parts;
mod unpaid;

pub(crate) use booking::{BookingRequest, list_scope};
pub(crate) use offers::StayRequest;
pub use parts::{BookingService, Dependencies};
pub use unpaid::UnpaidRoomLimit;
