//! The gRPC services: handlers by service, `request` (proto to domain) and `response` (domain to proto). No rules here.
//!
//! Every handler authorizes its caller before it validates the request.

mod changes;
mod find;
mod front_desk;
mod group_blocks;
mod internal;
mod inventory_admin;
mod list_request;
mod nights_request;
mod notes;
mod offer_check;
mod out_of_order;
mod relocations;
mod request;
mod reservation_admin;
mod reservations;
mod response;
mod room_assignments;
mod room_guests;
mod rooms_request;
mod stop_sell;

pub(crate) use front_desk::FrontDeskHandler;
pub(crate) use internal::InternalReservationHandler;
pub(crate) use inventory_admin::InventoryAdminHandler;
pub(crate) use reservation_admin::ReservationAdminHandler;
pub(crate) use reservations::ReservationHandler;
