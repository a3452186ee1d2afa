//! The gRPC and HTTP clients with which guests of a running mesh book and pay.

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
    Caller,
    booking::{self, BookingRequest, StayRequest},
    mesh,
};

/// Connections to each service, shared by all guests.
const CONNECTIONS: usize = 4;

/// A client of `ReservationService`.
pub type Reservations = ReservationServiceClient<Channel>;
/// A client of `PaymentService`.
pub type Payments = PaymentServiceClient<Channel>;

/// Clients of the services and of the checkout pages. Guests are numbered; connections, callers and stay requests are
/// assigned to them round-robin.
pub struct GuestClients {
    reservations: Vec<Reservations>,
    payments: Vec<Payments>,
    /// For checkout pages.
    pub pages: reqwest::Client,
    callers: Vec<Caller>,
    signer: OfferSigner,
    stay_requests: Vec<StayRequest>,
}

impl GuestClients {
    /// Clients of `mesh`; connections are opened with the first request.
    ///
    /// # Errors
    /// When a service or its offer key is missing.
    pub fn new(
        mesh: &LocalMesh,
        callers: Vec<Caller>,
        stay_requests: Vec<StayRequest>,
        page_timeout: Duration,
    ) -> Result<Self> {
        let endpoint = |service| anyhow::Ok(Endpoint::from_shared(mesh.service_url(service)?)?.tcp_nodelay(true));
        let (reservation, payment) = (endpoint("reservation")?, endpoint("payment")?);
        Ok(Self {
            reservations: (0..CONNECTIONS).map(|_| Reservations::new(reservation.connect_lazy())).collect(),
            payments: (0..CONNECTIONS).map(|_| Payments::new(payment.connect_lazy())).collect(),
            pages: reqwest::Client::builder().timeout(page_timeout).build()?,
            callers,
            signer: OfferSigner::new(&mesh::offer_keys(mesh)?),
            stay_requests,
        })
    }

    /// The reservation client of a guest.
    pub fn reservations(&self, guest: usize) -> Reservations {
        self.reservations[guest % CONNECTIONS].clone()
    }

    /// The payment client of a guest.
    pub fn payments(&self, guest: usize) -> Payments {
        self.payments[guest % CONNECTIONS].clone()
    }

    /// The account of a guest.
    pub fn caller(&self, guest: usize) -> &Caller {
        &self.callers[guest % self.callers.len()]
    }

    /// A new booking request of a guest.
    ///
    /// # Errors
    /// When the offer cannot be signed.
    pub fn booking_request(&self, guest: usize) -> Result<BookingRequest> {
        let stay_request = self.stay_requests[guest % self.stay_requests.len()];
        booking::prepare(stay_request, guest % self.callers.len(), &self.callers, &self.signer)
    }
}
