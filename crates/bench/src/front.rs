//! What guests of a running mesh book and pay through.

use std::time::Duration;

use anyhow::Result;
use staymesh_api::{
    payment::v1::payment_service_client::PaymentServiceClient,
    reservation::v1::reservation_service_client::ReservationServiceClient,
};
use staymesh_localmesh::LocalMesh;
use staymesh_reservation::offer_token::OfferSigner;
use tonic::transport::{Channel, Endpoint};

use crate::{
    callers::Caller,
    orders::{self, Order},
    processes,
    world::Want,
};

/// Connections to each service, which guests share.
const CONNECTIONS: usize = 4;

pub(crate) type Reservations = ReservationServiceClient<Channel>;
pub(crate) type Payments = PaymentServiceClient<Channel>;

/// The services, the provider's pages, and who wants what. Guests are numbered; callers, wants and connections go round.
pub(crate) struct Front {
    reservations: Vec<Reservations>,
    payments: Vec<Payments>,
    /// For the provider's pages.
    pub(crate) pages: reqwest::Client,
    callers: Vec<Caller>,
    signer: OfferSigner,
    wants: Vec<Want>,
}

impl Front {
    /// `patience`: the longest time that a page may take.
    pub(crate) fn new(mesh: &LocalMesh, callers: Vec<Caller>, wants: Vec<Want>, patience: Duration) -> Result<Self> {
        let endpoint = |service| anyhow::Ok(Endpoint::from_shared(mesh.service_url(service)?)?.tcp_nodelay(true));
        let (reservation, payment) = (endpoint("reservation")?, endpoint("payment")?);
        Ok(Self {
            reservations: (0..CONNECTIONS).map(|_| Reservations::new(reservation.connect_lazy())).collect(),
            payments: (0..CONNECTIONS).map(|_| Payments::new(payment.connect_lazy())).collect(),
            pages: reqwest::Client::builder().timeout(patience).build()?,
            callers,
            signer: OfferSigner::new(&processes::offer_keys(mesh)?),
            wants,
        })
    }

    pub(crate) fn reservations(&self, guest: usize) -> Reservations {
        self.reservations[guest % CONNECTIONS].clone()
    }

    pub(crate) fn payments(&self, guest: usize) -> Payments {
        self.payments[guest % CONNECTIONS].clone()
    }

    pub(crate) fn caller(&self, guest: usize) -> &Caller {
        &self.callers[guest % self.callers.len()]
    }

    /// What a guest asks for.
    pub(crate) fn order(&self, guest: usize) -> Result<Order> {
        let want = self.wants[guest % self.wants.len()];
        orders::order(want, guest % self.callers.len(), &self.callers, &self.signer)
    }
}
