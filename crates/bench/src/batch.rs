//! Requests to book, and the way in which each is sent.

use std::sync::Arc;

use anyhow::Result;
use futures::future::BoxFuture;
use staymesh_api::reservation::v1::{CreateReservationRequest, reservation_service_client::ReservationServiceClient};
use tonic::{Request, transport::Channel};
use uuid::Uuid;

use crate::{
    callers::Caller,
    load::{Outcome, Tally},
    orders::{self, Order},
    rig::Rig,
    server::LONGEST,
    strategy::Strategy,
    world::Load,
};

/// Clients, each on a connection of its own.
pub(crate) type Clients = Vec<ReservationServiceClient<Channel>>;

/// Orders and who sends them. Without orders, empty requests without end.
pub(crate) struct Batch {
    orders: Option<Arc<[Order]>>,
    clients: Arc<[ReservationServiceClient<Channel>]>,
    callers: Arc<[Caller]>,
}

impl Batch {
    /// Prepares so many orders; none for the floor.
    pub(crate) fn prepare(rig: &Rig, strategy: Strategy, load: Load, count: usize, clients: &Clients) -> Result<Self> {
        let orders = if strategy == Strategy::Floor {
            None
        } else {
            Some(orders::prepare(rig.world, load, count, &rig.callers.all, &rig.keys)?.into())
        };
        Ok(Self { orders, clients: clients.as_slice().into(), callers: rig.callers.all.as_slice().into() })
    }

    pub(crate) fn len(&self) -> usize {
        self.orders.as_ref().map_or(usize::MAX, |orders| orders.len())
    }

    /// Sends the request of a number.
    pub(crate) fn sender(&self) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
        let (orders, clients, callers) = (self.orders.clone(), self.clients.clone(), self.callers.clone());
        move |at| {
            let mut client = clients[at % clients.len()].clone();
            let (message, caller) = match &orders {
                Some(orders) => (orders[at].request.clone(), orders[at].caller),
                None => (CreateReservationRequest::default(), at % callers.len()),
            };
            let request = callers[caller].request(message);
            Box::pin(async move { Outcome::of(&client.create_reservation(request).await) })
        }
    }

    /// The bookings that were acknowledged.
    pub(crate) fn ids(&self, tally: &Tally) -> impl Iterator<Item = Uuid> {
        self.orders.iter().flat_map(|orders| tally.acknowledged.iter().map(|at| orders[*at].id))
    }
}

impl Caller {
    /// A request of this caller, with the patience that a request may have.
    pub(crate) fn request<M>(&self, message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.set_timeout(LONGEST);
        request.metadata_mut().insert("authorization", self.bearer.clone());
        request
    }
}
