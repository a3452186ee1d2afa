//! A client: books, sometimes cancels, and retries every request until it is answered.

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
use staymesh_load::{
    Caller,
    booking::{self, StayRequest},
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
    acknowledgements::{Acknowledgement, Acknowledgements},
    cluster::{Cluster, WAVE},
    counters::Counters,
};

type Replicas = [ReservationServiceClient<Channel>; 2];

/// Deadline of one attempt. The next attempt goes to the other replica.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long after the end of the run a request is still retried. Longer than any recovery takes.
const RETRY_LIMIT: Duration = Duration::from_mins(1);
/// Pause before the third attempt and every later one.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// One in this many bookings is cancelled while rooms are left. Each refusal as sold out cancels one besides.
const CANCEL_ONE_IN: u32 = 10;
/// One in this many bookings is requested again after its answer.
const REPEAT_ONE_IN: u32 = 20;
/// Pause of a client that was refused and has no booking to cancel.
const IDLE_PAUSE: Duration = Duration::from_millis(20);
/// Connections to each replica, shared by the clients.
const CONNECTIONS: usize = 4;

/// What all clients share.
pub(super) struct Shared {
    connections: Vec<Replicas>,
    callers: Vec<Caller>,
    signer: OfferSigner,
    waves: Vec<StayRequest>,
    counters: Arc<Counters>,
    stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(cluster: &Cluster, counters: Arc<Counters>, stop: CancellationToken) -> Result<Self> {
        let endpoints = cluster.urls()?.map(|url| {
            let endpoint = Endpoint::from_shared(url)?.tcp_nodelay(true).connect_timeout(Duration::from_secs(1));
            anyhow::Ok(endpoint)
        });
        let [first, second] = endpoints;
        let (first, second) = (first?, second?);
        let connect = |endpoint: &Endpoint| ReservationServiceClient::new(endpoint.connect_lazy());
        Ok(Self {
            connections: (0..CONNECTIONS).map(|_| [connect(&first), connect(&second)]).collect(),
            callers: cluster.callers.clone(),
            signer: OfferSigner::new(&cluster.keys),
            waves: cluster.waves.clone(),
            counters,
            stop,
        })
    }
}

impl Shared {
    /// The stay that clients book at this moment.
    fn wave(&self) -> Option<StayRequest> {
        let wave = self.counters.elapsed().as_secs() / WAVE.as_secs();
        self.waves.get(usize::try_from(wave).ok()?).or(self.waves.last()).copied()
    }
}

pub(super) struct Client {
    shared: Arc<Shared>,
    replicas: Replicas,
    caller: usize,
    /// Counts attempts; its parity selects the replica.
    next_replica: usize,
    /// Bookings that may be cancelled, oldest first.
    held: VecDeque<String>,
    acknowledgements: Acknowledgements,
}

/// An answer, and whether an earlier attempt was not answered.
struct Answered<T> {
    answer: Result<T, Status>,
    after_retry: bool,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, number: usize) -> Self {
        let replicas = shared.connections[number % CONNECTIONS].clone();
        let caller = number % shared.callers.len();
        Self {
            shared,
            replicas,
            caller,
            next_replica: number,
            held: VecDeque::new(),
            acknowledgements: Acknowledgements::default(),
        }
    }

    /// Books until stopped, and returns the answers it received.
    pub(super) async fn run(mut self) -> Acknowledgements {
        while !self.shared.stop.is_cancelled() {
            let shared = &self.shared;
            let Some(wave) = shared.wave() else { break };
            match booking::prepare(wave, self.caller, &shared.callers, &shared.signer) {
                Ok(booking) => self.book(booking.id, booking.message).await,
                Err(error) => return self.give_up(&error),
            }
        }
        self.acknowledgements
    }

    fn give_up(self, error: &anyhow::Error) -> Acknowledgements {
        self.shared.counters.fault(format!("no booking request can be prepared: {error:#}"));
        self.acknowledgements
    }

    async fn book(&mut self, id: Uuid, order: CreateReservationRequest) {
        let shared = self.shared.clone();
        let Some(answered) = self.create(&order).await else {
            return self.acknowledgements.record(id, Acknowledgement::Unanswered);
        };
        match answered.answer {
            Ok(booked)
                if booked.status() == ReservationStatus::PendingPayment
                    && booked.reservation_id == order.reservation_id =>
            {
                self.acknowledgements.record(id, Acknowledgement::Held);
                shared.counters.succeeded(&shared.counters.accepted);
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
                self.acknowledgements.record(id, Acknowledgement::Unanswered);
                shared.counters.fault(format!("{id} was booked as {:?}", booked.status()));
            }
            Err(status) if Problem::reason_of(&status) == Some(Reason::RoomSoldOut) => {
                let acknowledgement =
                    if answered.after_retry { Acknowledgement::RefusedAfterRetry } else { Acknowledgement::Refused };
                self.acknowledgements.record(id, acknowledgement);
                shared.counters.refused.fetch_add(1, Relaxed);
                // The newest booking is of the same nights, so that cancelling it frees rooms for the next request.
                let newest = self.held.pop_back();
                self.cancel(newest).await;
            }
            Err(status) => {
                self.acknowledgements.record(id, Acknowledgement::Unanswered);
                shared.counters.fault(format!("{id} was refused: {}", describe(&status)));
            }
        }
    }

    async fn repeat(&mut self, order: &CreateReservationRequest, booked: &Reservation) {
        let counters = self.shared.counters.clone();
        match self.create(order).await.map(|answered| answered.answer) {
            Some(Ok(again)) if again == *booked => {
                counters.repeated.fetch_add(1, Relaxed);
            }
            Some(Ok(_)) => counters.fault(format!("{} was answered differently", order.reservation_id)),
            Some(Err(status)) => {
                counters.fault(format!("the repeat of {} was refused: {}", order.reservation_id, describe(&status)));
            }
            None => {}
        }
    }

    async fn cancel(&mut self, held: Option<String>) {
        let Some(reservation_id) = held else {
            return sleep(IDLE_PAUSE).await;
        };
        let Ok(id) = reservation_id.parse::<Uuid>() else { return };
        let request = CancelReservationRequest { reservation_id, ..Default::default() };
        let call =
            async |mut client: ReservationServiceClient<Channel>, request| client.cancel_reservation(request).await;
        let counters = self.shared.counters.clone();
        match self.send(&request, call).await.map(|answered| answered.answer) {
            Some(Ok(booking)) if booking.status() == ReservationStatus::Cancelled => {
                self.acknowledgements.record(id, Acknowledgement::Cancelled);
                counters.succeeded(&counters.cancelled);
            }
            None => self.acknowledgements.record(id, Acknowledgement::HeldOrCancelled),
            Some(Ok(other)) => counters.fault(format!("{id} was cancelled as {:?}", other.status())),
            Some(Err(status)) => counters.fault(format!("{id} was not cancelled: {}", describe(&status))),
        }
    }

    async fn create(&mut self, order: &CreateReservationRequest) -> Option<Answered<Reservation>> {
        let call =
            async |mut client: ReservationServiceClient<Channel>, request| client.create_reservation(request).await;
        self.send(order, call).await
    }

    /// Sends a request to the replicas alternately until one answers it. `None` if no answer came within the retry limit
    /// after the end of the run.
    async fn send<M: Clone, T>(
        &mut self,
        message: &M,
        call: impl AsyncFn(ReservationServiceClient<Channel>, Request<M>) -> Result<Response<T>, Status>,
    ) -> Option<Answered<T>> {
        let began = Instant::now();
        for attempt in 0.. {
            if attempt > 1 {
                sleep(RETRY_PAUSE).await;
            }
            let replica = self.replicas[self.next_replica % 2].clone();
            self.next_replica += 1;
            let mut request = Request::new(message.clone());
            request.metadata_mut().insert("authorization", self.shared.callers[self.caller].bearer.clone());
            request.set_timeout(ATTEMPT_TIMEOUT);
            let answer = match call(replica, request).await {
                Err(status) if is_unanswered(&status) => {
                    self.shared.counters.retried(describe(&status));
                    if self.shared.stop.is_cancelled() && began.elapsed() > RETRY_LIMIT {
                        return None;
                    }
                    continue;
                }
                other => other.map(Response::into_inner),
            };
            return Some(Answered { answer, after_retry: attempt > 0 });
        }
        None
    }
}

/// Whether the outcome of the request is unknown, so that it must be retried. A connection that breaks during a call is
/// reported with several codes, none of them with an error reason of Staymesh.
fn is_unanswered(status: &Status) -> bool {
    match Problem::reason_of(status) {
        Some(_) => matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded),
        None => matches!(
            status.code(),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Internal | Code::Unknown
        ),
    }
}

/// The error reason, or the gRPC code if there is none.
fn describe(status: &Status) -> String {
    match Problem::reason_of(status) {
        Some(reason) => reason.as_str().to_owned(),
        None => format!("{:?} without a reason", status.code()),
    }
}

fn one_in(n: u32) -> bool {
    rand::rng().random_range(0..n) == 0
}
