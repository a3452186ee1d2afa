//! A guest of the storm test: books, pays, sometimes cancels, and retries whatever is not answered.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use futures::{FutureExt, future::BoxFuture};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use staymesh_api::{
    payment::v1::CreatePaymentRequest,
    reservation::v1::{CancelReservationRequest, GetReservationRequest, ReservationStatus},
};
use staymesh_load::{
    Caller,
    booking::StayRequest,
    guest_clients::{GuestClients, Payments, Reservations},
};
use staymesh_localmesh::LocalMesh;
use staymesh_mesh::{Problem, Reason};
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Response, Status};

/// Test cards with their cumulative percentage: charged, 3-D Secure challenge, declined, review approved, review declined.
const CARDS: [(u32, &str); 5] = [
    (80, "4242424242424242"),
    (90, "4000000000003220"),
    (94, "4000000000000002"),
    (98, "4000000000009243"),
    (100, "4000000000009250"),
];
/// One in this many guests cancels after payment.
const CANCEL_ONE_IN: u32 = 5;
/// Pause between two attempts.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// How long a request is retried.
const RETRY_LIMIT: Duration = Duration::from_mins(2);
/// The longest time until a reservation is paid or released: its hold and a reserve.
const DECISION_LIMIT: Duration = Duration::from_mins(5);
/// Timeout of a checkout page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(3);

/// How the visit of a guest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The reservation is paid.
    Paid,
    /// The guest cancelled the paid reservation.
    Cancelled,
    /// The reservation ended unpaid.
    Released,
}

/// All guests.
#[derive(Clone)]
pub(super) struct Guests(Arc<Shared>);

struct Shared {
    clients: GuestClients,
    seed: u64,
    troubles: Mutex<BTreeMap<String, usize>>,
}

impl Guests {
    pub(super) fn new(
        mesh: &LocalMesh,
        callers: Vec<Caller>,
        stay_requests: Vec<StayRequest>,
        seed: u64,
    ) -> Result<Self> {
        Ok(Self(Arc::new(Shared {
            clients: GuestClients::new(mesh, callers, stay_requests, PAGE_TIMEOUT)?,
            seed,
            troubles: Mutex::default(),
        })))
    }

    /// Errors that guests met, by kind.
    pub(super) fn troubles(&self) -> BTreeMap<String, usize> {
        self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs one guest to the end.
    ///
    /// # Errors
    /// When the guest gets an answer that no correct service gives, or none within its limits.
    pub(super) async fn run(&self, guest: usize) -> Result<End> {
        let mut rng = StdRng::seed_from_u64(self.0.seed.rotate_left(32) ^ guest as u64);
        let (draw, cancels) = (rng.random_range(0..100), rng.random_range(0..CANCEL_ONE_IN) == 0);
        let card = CARDS.iter().find(|(below, _)| draw < *below).map_or(CARDS[0].1, |(_, card)| card);
        self.0.run(guest, card, cancels).await
    }
}

impl Shared {
    async fn run(&self, guest: usize, card: &str, cancels: bool) -> Result<End> {
        let booking = self.clients.booking_request(guest)?;
        let reservation_id = booking.message.reservation_id.clone();
        let reservations = &self.clients.reservations(guest);
        let book = |request, mut client: Reservations| async move { client.create_reservation(request).await }.boxed();
        self.retry(guest, &booking.message, reservations, book).await?.context("the booking was refused")?;

        if let Some(page) = self.open_page(guest, &reservation_id).await? {
            self.pay(&page, card).await;
        }
        let status = self.await_decision(reservations, guest, &reservation_id).await?;
        if status != ReservationStatus::Paid {
            return Ok(End::Released);
        }
        if !cancels {
            return Ok(End::Paid);
        }
        let message = CancelReservationRequest { reservation_id, ..Default::default() };
        let cancel =
            |request, mut client: Reservations| async move { client.cancel_reservation(request).await }.boxed();
        self.retry(guest, &message, reservations, cancel).await?.context("the cancellation was refused")?;
        Ok(End::Cancelled)
    }

    /// The address of the checkout page; `None` if the hold expired before it could be created.
    async fn open_page(&self, guest: usize, reservation_id: &str) -> Result<Option<String>> {
        let payments = &self.clients.payments(guest);
        let message =
            CreatePaymentRequest { reservation_id: reservation_id.to_owned(), return_url: String::new(), revision: 0 };
        let open = |request, mut client: Payments| async move { client.create_payment(request).await }.boxed();
        let payment = match self.retry(guest, &message, payments, open).await? {
            Ok(opened) => opened,
            Err(status) => {
                let reason = Problem::reason_of(&status);
                let late = matches!(reason, Some(Reason::HoldExpired | Reason::ReservationNotPayable));
                ensure!(late, "opening the checkout page: {}", describe(&status));
                self.count(format!("the hold expired before the checkout page: {}", describe(&status)));
                return Ok(None);
            }
        };
        Ok(Some(payment.checkout_url))
    }

    /// Submits the card and reloads the page when it does not answer. The result is read from the reservation.
    async fn pay(&self, page: &str, card: &str) {
        let began = Instant::now();
        while began.elapsed() < RETRY_LIMIT {
            let answer = self.clients.pages.post(format!("{page}/pay")).form(&[("card_number", card)]).send().await;
            match answer.map(|answer| answer.status().as_u16()) {
                Ok(202) => {
                    // A 3-D Secure challenge; a payment in review ignores the answer.
                    let form = [("decision", "approve")];
                    if let Ok(answer) = self.clients.pages.post(format!("{page}/challenge")).form(&form).send().await
                        && !answer.status().is_server_error()
                    {
                        return;
                    }
                    self.count("the page did not answer a challenge".into());
                }
                Ok(status) if status < 500 => return,
                Ok(status) => self.count(format!("the page returned {status}")),
                Err(_) => self.count("the page did not answer".into()),
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Polls until the reservation is no longer pending payment.
    async fn await_decision(
        &self,
        reservations: &Reservations,
        guest: usize,
        reservation_id: &str,
    ) -> Result<ReservationStatus> {
        let began = Instant::now();
        let message = GetReservationRequest { reservation_id: reservation_id.to_owned() };
        let get = |request, mut client: Reservations| async move { client.get_reservation(request).await }.boxed();
        loop {
            let found =
                self.retry(guest, &message, reservations, get).await?.context("the reservation cannot be read")?;
            let status = found.status();
            if status != ReservationStatus::PendingPayment {
                return Ok(status);
            }
            if began.elapsed() > DECISION_LIMIT {
                bail!("{reservation_id} is neither paid nor released");
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    /// Retries until there is an answer, which may be a refusal.
    async fn retry<C: Clone, M: Clone, T>(
        &self,
        guest: usize,
        message: &M,
        client: &C,
        call: impl Fn(Request<M>, C) -> BoxFuture<'static, Result<Response<T>, Status>>,
    ) -> Result<Result<T, Status>> {
        let began = Instant::now();
        loop {
            match call(self.clients.caller(guest).request(message.clone()), client.clone()).await {
                Ok(answer) => return Ok(Ok(answer.into_inner())),
                Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => {
                    self.count(format!("retried after {}", describe(&status)));
                }
                Err(status) => return Ok(Err(status)),
            }
            ensure!(began.elapsed() < RETRY_LIMIT, "no answer within {} s", RETRY_LIMIT.as_secs());
            sleep(RETRY_PAUSE).await;
        }
    }

    fn count(&self, trouble: String) {
        *self.troubles.lock().unwrap_or_else(PoisonError::into_inner).entry(trouble).or_default() += 1;
    }
}

fn describe(status: &Status) -> String {
    Problem::reason_of(status).map_or_else(|| format!("{:?}", status.code()), |reason| reason.as_str().to_owned())
}
