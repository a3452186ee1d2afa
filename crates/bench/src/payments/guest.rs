//! A guest who books and pays.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use futures::{FutureExt, future::BoxFuture};
use staymesh_api::{
    payment::v1::CreatePaymentRequest,
    reservation::v1::{GetReservationRequest, ReservationStatus},
};
use staymesh_localmesh::LocalMesh;
use tokio::time::{Instant, sleep};

use crate::{callers::Caller, front::Front, load::Outcome, world::Want};

/// The test card that pays.
const CARD: [(&str, &str); 1] = [("card_number", "4242 4242 4242 4242")];
/// How often a guest who has paid looks whether the booking is.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// The longest that may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Those who pay.
#[derive(Clone)]
pub(super) struct Guests(Arc<Front>);

impl Guests {
    pub(super) fn new(mesh: &LocalMesh, callers: Vec<Caller>, wants: Vec<Want>) -> Result<Self> {
        Ok(Self(Arc::new(Front::new(mesh, callers, wants, PATIENCE)?)))
    }

    /// One payment from the booking to the paid booking.
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

async fn pay(front: &Front, at: usize) -> Result<()> {
    let (order, caller) = (front.order(at)?, front.caller(at));
    let reservation_id = order.request.reservation_id.clone();
    let (mut reservations, mut payments) = (front.reservations(at), front.payments(at));
    reservations
        .create_reservation(caller.request(order.request))
        .await
        .map_err(|status| short(&status))
        .context("booking")?;

    let wish = CreatePaymentRequest { reservation_id: reservation_id.clone(), return_url: String::new() };
    let opened = payments
        .create_payment(caller.request(wish))
        .await
        .map_err(|status| short(&status))
        .context("opening the page")?;
    let page = opened.into_inner().payment.context("no payment")?.checkout_url;
    let answer = front.pages.post(format!("{page}/pay")).form(&CARD).send().await?;
    ensure!(answer.status().is_success(), "the page answered {}", answer.status().as_u16());

    let paid = Instant::now();
    loop {
        let ask = GetReservationRequest { reservation_id: reservation_id.clone() };
        let seen = reservations
            .get_reservation(caller.request(ask))
            .await
            .map_err(|status| short(&status))
            .context("looking")?;
        let status = seen.into_inner().reservation.map(|reservation| reservation.status());
        if status == Some(ReservationStatus::Paid) {
            return Ok(());
        }
        ensure!(status == Some(ReservationStatus::PendingPayment), "the booking became {status:?}");
        ensure!(paid.elapsed() < PATIENCE, "the booking was not paid in time");
        sleep(LOOK_EVERY).await;
    }
}

/// Without what differs from one to the next, so that equal ones are counted together.
fn short(status: &tonic::Status) -> anyhow::Error {
    anyhow::anyhow!("{:?}: {}", status.code(), status.message())
}
