//! Clients of the services that this one calls: a trait in domain terms and its gRPC implementation, one file per
//! service. Proto messages do not leave this folder.

mod hotels;
mod payments;
mod rates;
mod recipients;
mod stay_names;

#[cfg(test)]
pub(crate) use hotels::MockHotelClient;
#[cfg(test)]
pub(crate) use payments::MockPaymentClient;
#[cfg(test)]
pub(crate) use rates::MockRateClient;
#[cfg(test)]
pub(crate) use recipients::MockRecipientClient;
#[cfg(test)]
pub(crate) use stay_names::MockStayNameClient;

pub(crate) use hotels::GrpcHotelClient;
pub use hotels::{HotelClient, HotelInfo, RoomInfo, RoomTypeInfo};
pub(crate) use payments::GrpcPaymentClient;
pub use payments::PaymentClient;
pub(crate) use rates::GrpcRateClient;
pub use rates::{RateClient, RoomTypeDemand, RoomTypePrice};
pub(crate) use recipients::{GrpcRecipientClient, Recipient, RecipientClient};
pub(crate) use stay_names::{GrpcStayNameClient, StayNameClient, StayNames};
