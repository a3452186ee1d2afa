//! A batch: booking requests and the connections over which they are sent.

use std::sync::Arc;

use anyhow::Result;
use futures::future::BoxFuture;
use staymesh_api::reservation::v1::{CreateReservationRequest, reservation_service_client::ReservationServiceClient};
use staymesh_load::{Caller, Outcome, Tally, booking::BookingRequest};
use tonic::transport::Channel;
use uuid::Uuid;

use crate::{bookings, rig::Rig, strategy::Strategy, world::Load};

/// Reservation clients, each on a connection of its own.
pub(crate) type Clients = Vec<ReservationServiceClient<Channel>>;

/// Booking requests and the clients that send them; for the floor, an unlimited number of empty requests.
pub(crate) struct Batch {
    requests: Option<Arc<[BookingRequest]>>,
    clients: Arc<[ReservationServiceClient<Channel>]>,
    callers: Arc<[Caller]>,
}

impl Batch {
    /// Prepares `count` booking requests; none for the floor.
    pub(crate) fn prepare(rig: &Rig, strategy: Strategy, load: Load, count: usize, clients: &Clients) -> Result<Self> {
        let requests = if strategy == Strategy::Floor {
            None
        } else {
            Some(bookings::prepare(rig.world, load, count, &rig.callers.all, &rig.keys)?.into())
        };
        Ok(Self { requests, clients: clients.as_slice().into(), callers: rig.callers.all.as_slice().into() })
    }

    /// Number of requests; `usize::MAX` for the floor.
    pub(crate) fn len(&self) -> usize {
        self.requests.as_ref().map_or(usize::MAX, |requests| requests.len())
    }

    /// A function that sends the request with a given number.
    pub(crate) fn sender(&self) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
        let (requests, clients, callers) = (self.requests.clone(), self.clients.clone(), self.callers.clone());
        move |number| {
            let mut client = clients[number % clients.len()].clone();
            let (message, caller) = match &requests {
                Some(requests) => (requests[number].message.clone(), requests[number].caller),
                None => (CreateReservationRequest::default(), number % callers.len()),
            };
            let request = callers[caller].request(message);
            Box::pin(async move { Outcome::of(&client.create_reservation(request).await) })
        }
    }

    /// The ids of the reservations that were acknowledged.
    pub(crate) fn acknowledged(&self, tally: &Tally) -> impl Iterator<Item = Uuid> {
        self.requests.iter().flat_map(|requests| tally.acknowledged.iter().map(|number| requests[*number].id))
    }
}
