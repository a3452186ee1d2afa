//! gRPC: parses requests into domain values, calls the service, and renders responses. No rules.

mod hotel;
mod hotel_admin;
mod request;
mod response;
#[cfg(test)]
mod tests;

pub(crate) use hotel::HotelHandler;
pub(crate) use hotel_admin::HotelAdminHandler;
