//! A guest who wants to pay and does not give up easily.

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
use staymesh_localmesh::LocalMesh;
use staymesh_mesh::{Problem, Reason};
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Response, Status};

use crate::{
    callers::Caller,
    front::{Front, Payments, Reservations},
    world::Want,
};

/// Cards, of which each guest has one: most pay, some ask for 3-D Secure, some are declined, a few are reviewed.
const CARDS: [(u32, &str); 5] = [
    (80, "4242424242424242"),
    (90, "4000000000003220"),
    (94, "4000000000000002"),
    (98, "4000000000009243"),
    (100, "4000000000009250"),
];
/// One in so many guests who have paid cancels.
const CANCEL_ONE_IN: u32 = 5;
const PAUSE: Duration = Duration::from_millis(100);
/// How long a guest asks again for something that is not answered.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long until a booking must have ended, one way or the other: its hold and some time.
const LONGEST: Duration = Duration::from_mins(5);
/// How long a guest looks at a page that does not answer.
const PAGE_PATIENCE: Duration = Duration::from_secs(3);

/// How it ended for a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With a room that is paid.
    Paid,
    /// The guest has cancelled what was paid.
    Cancelled,
    /// Without a room.
    Released,
}

/// All guests.
#[derive(Clone)]
pub(super) struct Guests(Arc<Shared>);

struct Shared {
    front: Front,
    seed: u64,
    troubles: Mutex<BTreeMap<String, usize>>,
}

impl Guests {
    pub(super) fn new(mesh: &LocalMesh, callers: Vec<Caller>, wants: Vec<Want>, seed: u64) -> Result<Self> {
        Ok(Self(Arc::new(Shared {
            front: Front::new(mesh, callers, wants, PAGE_PATIENCE)?,
            seed,
            troubles: Mutex::default(),
        })))
    }

    /// What guests ran into, and how often.
    pub(super) fn troubles(&self) -> BTreeMap<String, usize> {
        self.0.troubles.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One guest from the booking to the end. An error is what must not happen.
    pub(super) async fn live(&self, at: usize) -> Result<End> {
        let mut rng = StdRng::seed_from_u64(self.0.seed.rotate_left(32) ^ at as u64);
        let (draw, cancels) = (rng.random_range(0..100), rng.random_range(0..CANCEL_ONE_IN) == 0);
        let card = CARDS.iter().find(|(below, _)| draw < *below).map_or(CARDS[0].1, |(_, card)| card);
        self.0.live(at, card, cancels).await
    }
}

impl Shared {
    async fn live(&self, at: usize, card: &str, cancels: bool) -> Result<End> {
        let order = self.front.order(at)?;
        let reservation_id = order.request.reservation_id.clone();
        let reservations = &self.front.reservations(at);
        let book = |request, mut client: Reservations| async move { client.create_reservation(request).await }.boxed();
        self.insist(at, &order.request, reservations, book).await?.context("the booking was refused")?;

        if let Some(page) = self.open_page(at, &reservation_id).await? {
            self.pay(&page, card).await;
        }
        let status = self.await_end(reservations, at, &reservation_id).await?;
        if status != ReservationStatus::Paid {
            return Ok(End::Released);
        }
        if !cancels {
            return Ok(End::Paid);
        }
        let wish = CancelReservationRequest { reservation_id };
        let cancel =
            |request, mut client: Reservations| async move { client.cancel_reservation(request).await }.boxed();
        self.insist(at, &wish, reservations, cancel).await?.context("the cancellation was refused")?;
        Ok(End::Cancelled)
    }

    /// The page, unless the hold has ended before it was got.
    async fn open_page(&self, at: usize, reservation_id: &str) -> Result<Option<String>> {
        let payments = &self.front.payments(at);
        let wish = CreatePaymentRequest { reservation_id: reservation_id.to_owned(), return_url: String::new() };
        let open = |request, mut client: Payments| async move { client.create_payment(request).await }.boxed();
        let payment = match self.insist(at, &wish, payments, open).await? {
            Ok(opened) => opened.payment.context("no payment")?,
            Err(status) => {
                let reason = Problem::reason_of(&status);
                let late = matches!(reason, Some(Reason::HoldExpired | Reason::ReservationNotPayable));
                ensure!(late, "opening the page: {}", describe(&status));
                self.note(format!("the page came too late: {}", describe(&status)));
                return Ok(None);
            }
        };
        Ok(Some(payment.checkout_url))
    }

    /// Uses the card, as somebody who loads the page again when it does not answer. How it ends is the page's affair.
    async fn pay(&self, page: &str, card: &str) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let answer = self.front.pages.post(format!("{page}/pay")).form(&[("card_number", card)]).send().await;
            match answer.map(|answer| answer.status().as_u16()) {
                Ok(202) => {
                    // 3-D Secure asks, or somebody reviews, to whom this means nothing.
                    let form = [("decision", "approve")];
                    if let Ok(answer) = self.front.pages.post(format!("{page}/challenge")).form(&form).send().await
                        && !answer.status().is_server_error()
                    {
                        return;
                    }
                    self.note("a challenge was not answered".into());
                }
                Ok(status) if status < 500 => return,
                Ok(status) => self.note(format!("the page answered {status}")),
                Err(_) => self.note("the page did not answer".into()),
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits until a booking is no longer waiting for its payment.
    async fn await_end(
        &self,
        reservations: &Reservations,
        at: usize,
        reservation_id: &str,
    ) -> Result<ReservationStatus> {
        let began = Instant::now();
        let ask = GetReservationRequest { reservation_id: reservation_id.to_owned() };
        let look = |request, mut client: Reservations| async move { client.get_reservation(request).await }.boxed();
        loop {
            let seen = self.insist(at, &ask, reservations, look).await?.context("the booking cannot be seen")?;
            let status = seen.reservation.context("no reservation")?.status();
            if status != ReservationStatus::PendingPayment {
                return Ok(status);
            }
            if began.elapsed() > LONGEST {
                bail!("{reservation_id} is neither paid nor released");
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks until there is an answer, which may be a refusal.
    async fn insist<C: Clone, M: Clone, T>(
        &self,
        at: usize,
        message: &M,
        client: &C,
        call: impl Fn(Request<M>, C) -> BoxFuture<'static, Result<Response<T>, Status>>,
    ) -> Result<Result<T, Status>> {
        let began = Instant::now();
        loop {
            match call(self.front.caller(at).request(message.clone()), client.clone()).await {
                Ok(answer) => return Ok(Ok(answer.into_inner())),
                Err(status) if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) => {
                    self.note(format!("asked again after {}", describe(&status)));
                }
                Err(status) => return Ok(Err(status)),
            }
            ensure!(began.elapsed() < PATIENCE, "no answer within {} s", PATIENCE.as_secs());
            sleep(PAUSE).await;
        }
    }

    fn note(&self, trouble: String) {
        *self.troubles.lock().unwrap_or_else(PoisonError::into_inner).entry(trouble).or_default() += 1;
    }
}

fn describe(status: &Status) -> String {
    Problem::reason_of(status).map_or_else(|| format!("{:?}", status.code()), |reason| reason.as_str().to_owned())
}
