//! Clients of the services that this one calls: a trait in domain terms and its gRPC implementation, one file per
//! service. Proto messages do not leave this folder.

mod hotels;
mod payments;
mod rates;

#[cfg(test)]
pub(crate) use hotels::MockHotelClient;
#[cfg(test)]
pub(crate) use payments::MockPaymentClient;
#[cfg(test)]
pub(crate) use rates::MockRateClient;

pub(crate) use hotels::GrpcHotelClient;
pub use hotels::{HotelClient, RoomTypeInfo};
pub(crate) use payments::GrpcPaymentClient;
pub use payments::PaymentClient;
pub(crate) use rates::GrpcRateClient;
pub use rates::{RateClient, RoomTypeDemand, RoomTypePrice};
