//! A guest who books, pays and waits for the confirmation.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use futures::{FutureExt, future::BoxFuture};
use staymesh_api::{
    payment::v1::CreatePaymentRequest,
    reservation::v1::{GetReservationRequest, ReservationStatus},
};
use staymesh_load::{Caller, Outcome, booking::StayRequest, guest_clients::GuestClients};
use staymesh_localmesh::LocalMesh;
use tokio::time::{Instant, sleep};

/// The test card that is charged without a challenge.
const CARD: [(&str, &str); 1] = [("card_number", "4242 4242 4242 4242")];
/// How often a guest who has paid polls the reservation.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// The longest time from the payment to the confirmation, and the timeout of checkout pages.
const CONFIRMATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The guests of a run.
#[derive(Clone)]
pub(super) struct Guests(Arc<GuestClients>);

impl Guests {
    pub(super) fn new(mesh: &LocalMesh, callers: Vec<Caller>, stay_requests: Vec<StayRequest>) -> Result<Self> {
        Ok(Self(Arc::new(GuestClients::new(mesh, callers, stay_requests, CONFIRMATION_TIMEOUT)?)))
    }

    /// A function that makes the booking and payment of a given number.
    pub(super) fn payer(&self) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
        let guests = self.clone();
        move |at| {
            let guests = guests.clone();
            async move {
                match pay(&guests.0, at).await {
                    Ok(()) => Outcome::Accepted,
                    Err(error) => Outcome::Error(format!("{error:#}")),
                }
            }
            .boxed()
        }
    }
}

async fn pay(clients: &GuestClients, guest: usize) -> Result<()> {
    let (booking, caller) = (clients.booking_request(guest)?, clients.caller(guest));
    let reservation_id = booking.message.reservation_id.clone();
    let (mut reservations, mut payments) = (clients.reservations(guest), clients.payments(guest));
    reservations
        .create_reservation(caller.request(booking.message))
        .await
        .map_err(|status| summary(&status))
        .context("booking")?;

    let create =
        CreatePaymentRequest { reservation_id: reservation_id.clone(), return_url: String::new(), revision: 0 };
    let opened = payments
        .create_payment(caller.request(create))
        .await
        .map_err(|status| summary(&status))
        .context("opening the checkout page")?;
    let page = opened.into_inner().checkout_url;
    let answer = clients.pages.post(format!("{page}/pay")).form(&CARD).send().await?;
    ensure!(answer.status().is_success(), "the checkout page returned {}", answer.status().as_u16());

    let paid = Instant::now();
    loop {
        let get = GetReservationRequest { reservation_id: reservation_id.clone() };
        let reservation = reservations
            .get_reservation(caller.request(get))
            .await
            .map_err(|status| summary(&status))
            .context("polling the reservation")?;
        let status = reservation.into_inner().status();
        if status == ReservationStatus::Paid {
            return Ok(());
        }
        ensure!(status == ReservationStatus::PendingPayment, "the reservation became {status:?}");
        ensure!(paid.elapsed() < CONFIRMATION_TIMEOUT, "the reservation was not confirmed in time");
        sleep(POLL_INTERVAL).await;
    }
}

/// Code and message alone, so that equal errors are counted together.
fn summary(status: &tonic::Status) -> anyhow::Error {
    anyhow::anyhow!("{:?}: {}", status.code(), status.message())
}
