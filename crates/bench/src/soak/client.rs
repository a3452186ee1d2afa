//! One client: books, sometimes cancels, and asks again until it is answered.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use anyhow::Result;
use rand::RngExt;
use staymesh_api::reservation::v1::{
    CancelReservationRequest, CreateReservationRequest, Reservation, ReservationStatus,
    reservation_service_client::ReservationServiceClient,
};
use staymesh_mesh::{Problem, Reason};
use staymesh_reservation::offer_token::OfferSigner;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Request, Response, Status,
    transport::{Channel, Endpoint},
};
use uuid::Uuid;

use super::{
    PATIENCE,
    counts::Counts,
    ledger::{Fate, Ledger},
    place::{Place, WAVE},
};
use crate::{callers::Caller, orders, world::Want};

type Replicas = [ReservationServiceClient<Channel>; 2];

/// How long one request waits for its answer before it is sent again, to the other replica.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The rest before a request is sent for the third time, and every time after it.
const REST: Duration = Duration::from_millis(50);
/// One in so many bookings is cancelled while there are rooms; when there are none, one for each refusal.
const CANCEL_ONE_IN: u32 = 10;
/// One in so many bookings is asked for again after its answer.
const REPEAT_ONE_IN: u32 = 20;
/// How long somebody waits who is refused and has nothing to cancel.
const NOTHING_TO_DO: Duration = Duration::from_millis(20);
/// Connections to each replica, which the clients share.
const CONNECTIONS: usize = 4;

/// What all clients have in common.
pub(super) struct Shared {
    connections: Vec<Replicas>,
    callers: Vec<Caller>,
    signer: OfferSigner,
    wants: Vec<Want>,
    counts: Arc<Counts>,
    stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(place: &Place, counts: Arc<Counts>, stop: CancellationToken) -> Result<Self> {
        let endpoints = place.urls()?.map(|url| {
            let endpoint = Endpoint::from_shared(url)?.tcp_nodelay(true).connect_timeout(Duration::from_secs(1));
            anyhow::Ok(endpoint)
        });
        let [first, second] = endpoints;
        let (first, second) = (first?, second?);
        let connect = |endpoint: &Endpoint| ReservationServiceClient::new(endpoint.connect_lazy());
        Ok(Self {
            connections: (0..CONNECTIONS).map(|_| [connect(&first), connect(&second)]).collect(),
            callers: place.callers.clone(),
            signer: OfferSigner::new(&place.keys),
            wants: place.wants.clone(),
            counts,
            stop,
        })
    }
}

impl Shared {
    /// What everybody wants at this moment.
    fn want(&self) -> Option<Want> {
        let wave = self.counts.elapsed().as_secs() / WAVE.as_secs();
        self.wants.get(usize::try_from(wave).ok()?).or(self.wants.last()).copied()
    }
}

pub(super) struct Client {
    shared: Arc<Shared>,
    replicas: Replicas,
    caller: usize,
    /// The replica whose turn it is.
    turn: usize,
    /// Bookings that may be cancelled, oldest first.
    held: VecDeque<String>,
    ledger: Ledger,
}

/// An answer, and whether an earlier request for it was left without.
struct Answered<T> {
    answer: Result<T, Status>,
    after_silence: bool,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, at: usize) -> Self {
        let replicas = shared.connections[at % CONNECTIONS].clone();
        let caller = at % shared.callers.len();
        Self { shared, replicas, caller, turn: at, held: VecDeque::new(), ledger: Ledger::default() }
    }

    /// Until it is stopped; what it was told comes back.
    pub(super) async fn live(mut self) -> Ledger {
        while !self.shared.stop.is_cancelled() {
            let shared = &self.shared;
            let Some(want) = shared.want() else { break };
            match orders::order(want, self.caller, &shared.callers, &shared.signer) {
                Ok(order) => self.book(order.id, order.request).await,
                Err(error) => return self.give_up(&error),
            }
        }
        self.ledger
    }

    fn give_up(self, error: &anyhow::Error) -> Ledger {
        self.shared.counts.fault(format!("no order can be made: {error:#}"));
        self.ledger
    }

    async fn book(&mut self, id: Uuid, order: CreateReservationRequest) {
        let shared = self.shared.clone();
        let Some(answered) = self.create(&order).await else {
            return self.ledger.note(id, Fate::Unknown);
        };
        match answered.answer {
            Ok(booked)
                if booked.status() == ReservationStatus::PendingPayment
                    && booked.reservation_id == order.reservation_id =>
            {
                self.ledger.note(id, Fate::Held);
                shared.counts.succeeded(&shared.counts.accepted);
                if one_in(REPEAT_ONE_IN) {
                    self.repeat(&order, &booked).await;
                }
                self.held.push_back(booked.reservation_id);
                if one_in(CANCEL_ONE_IN) {
                    let oldest = self.held.pop_front();
                    self.cancel(oldest).await;
                }
            }
            Ok(booked) => {
                self.ledger.note(id, Fate::Unknown);
                shared.counts.fault(format!("{id} was booked as {:?}", booked.status()));
            }
            Err(status) if Problem::reason_of(&status) == Some(Reason::RoomSoldOut) => {
                let fate = if answered.after_silence { Fate::RefusedAfterSilence } else { Fate::Refused };
                self.ledger.note(id, fate);
                shared.counts.refused.fetch_add(1, Relaxed);
                // The newest is of these nights, or there is nothing to win by it.
                let newest = self.held.pop_back();
                self.cancel(newest).await;
            }
            Err(status) => {
                self.ledger.note(id, Fate::Unknown);
                shared.counts.fault(format!("{id} was refused: {}", describe(&status)));
            }
        }
    }

    async fn repeat(&mut self, order: &CreateReservationRequest, booked: &Reservation) {
        let counts = self.shared.counts.clone();
        match self.create(order).await.map(|answered| answered.answer) {
            Some(Ok(again)) if again == *booked => {
                counts.repeated.fetch_add(1, Relaxed);
            }
            Some(Ok(_)) => counts.fault(format!("{} was answered in another way", order.reservation_id)),
            Some(Err(status)) => {
                counts.fault(format!("the repeat of {} was refused: {}", order.reservation_id, describe(&status)));
            }
            None => {}
        }
    }

    async fn cancel(&mut self, held: Option<String>) {
        let Some(reservation_id) = held else {
            return sleep(NOTHING_TO_DO).await;
        };
        let Ok(id) = reservation_id.parse::<Uuid>() else { return };
        let request = CancelReservationRequest { reservation_id };
        let call = async |mut client: ReservationServiceClient<Channel>, request| {
            client.cancel_reservation(request).await.map(|answer| answer.map(|cancelled| cancelled.reservation))
        };
        let counts = self.shared.counts.clone();
        match self.ask(&request, call).await.map(|answered| answered.answer) {
            Some(Ok(Some(booking))) if booking.status() == ReservationStatus::Cancelled => {
                self.ledger.note(id, Fate::Cancelled);
                counts.succeeded(&counts.cancelled);
            }
            None => self.ledger.note(id, Fate::HeldOrCancelled),
            Some(Ok(other)) => counts.fault(format!("{id} was cancelled as {:?}", other.map(|b| b.status))),
            Some(Err(status)) => counts.fault(format!("{id} was not cancelled: {}", describe(&status))),
        }
    }

    async fn create(&mut self, order: &CreateReservationRequest) -> Option<Answered<Reservation>> {
        let call = async |mut client: ReservationServiceClient<Channel>, request| {
            let answer = client.create_reservation(request).await?.into_inner();
            let booked = answer.reservation.ok_or_else(|| Status::data_loss("an answer without a reservation"))?;
            Ok(Response::new(booked))
        };
        self.ask(order, call).await
    }

    /// Sends a request to the replicas in turn until one answers it; nothing when that takes too long after the end.
    async fn ask<M: Clone, T>(
        &mut self,
        message: &M,
        call: impl AsyncFn(ReservationServiceClient<Channel>, Request<M>) -> Result<Response<T>, Status>,
    ) -> Option<Answered<T>> {
        let began = Instant::now();
        for attempt in 0.. {
            if attempt > 1 {
                sleep(REST).await;
            }
            let replica = self.replicas[self.turn % 2].clone();
            self.turn += 1;
            let mut request = Request::new(message.clone());
            request.metadata_mut().insert("authorization", self.shared.callers[self.caller].bearer.clone());
            request.set_timeout(ANSWER_WITHIN);
            let answer = match call(replica, request).await {
                Err(status) if is_unanswered(&status) => {
                    self.shared.counts.retried(describe(&status));
                    if self.shared.stop.is_cancelled() && began.elapsed() > PATIENCE {
                        return None;
                    }
                    continue;
                }
                other => other.map(Response::into_inner),
            };
            return Some(Answered { answer, after_silence: attempt > 0 });
        }
        None
    }
}

/// Whether nobody has decided about the request. A connection that ends under it shows in several ways, none of which
/// has one of our reasons.
fn is_unanswered(status: &Status) -> bool {
    match Problem::reason_of(status) {
        Some(_) => matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded),
        None => matches!(
            status.code(),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Internal | Code::Unknown
        ),
    }
}

/// The reason, or the bare code.
fn describe(status: &Status) -> String {
    match Problem::reason_of(status) {
        Some(reason) => reason.as_str().to_owned(),
        None => format!("{:?} without a reason", status.code()),
    }
}

fn one_in(many: u32) -> bool {
    rand::rng().random_range(0..many) == 0
}
