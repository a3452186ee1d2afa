//! Crash test under load (R11, R17): acknowledged bookings are durable, unanswered calls can be retried, and the
//! invariants of the reservation database hold.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::join_all;
use staymesh_api::reservation::v1::{
    CancelReservationRequest, CreateReservationRequest, GetReservationRequest, Guest, Reservation, ReservationStatus,
    reservation_service_client::ReservationServiceClient,
};
use staymesh_localmesh::LocalMesh;
use tokio::time::{Instant, sleep};
use tonic::{Code, Request, Response, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::support::{
    Books, HotelFixture, PrivateMesh, Rest, Stay, World, assert_no_dead_letters, eventually, operate,
};

/// Bookings of the load. One third of them is cancelled.
const ORDERS: usize = 900;
/// Concurrent callers.
const CALLERS: usize = 24;
/// Number of times the service is killed under load; then the database is killed once.
const KILLS: usize = 5;
/// Longest time until one call is answered, over all outages and retries.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);

/// The final response to one caller.
enum Fate {
    /// The reservation exists, with the status of this response.
    Known(Box<Reservation>),
    /// The booking was refused: sold out.
    SoldOut(String),
}

/// A caller that retries every request until it is answered.
#[derive(Clone)]
struct Load {
    client: ReservationServiceClient<Channel>,
    token: String,
    answered: Arc<AtomicUsize>,
    unanswered: Arc<AtomicUsize>,
}

/// Whether the call got no response. A response that ends between headers and trailers, because the service was killed,
/// reaches the caller as INTERNAL (HTTP/2 rules); an INTERNAL status of a service always has a reason.
fn is_unanswered(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded => true,
        Code::Internal => status.get_details_error_info().is_none(),
        _ => false,
    }
}

impl Load {
    async fn new(world: &World<'_>, guest: &Rest) -> Self {
        let channel = Channel::from_shared(world.mesh.public_url().to_owned()).expect("an address");
        let channel = channel.connect().await.expect("connects");
        Self {
            client: ReservationServiceClient::new(channel),
            token: format!("Bearer {}", guest.token()),
            answered: Arc::default(),
            unanswered: Arc::default(),
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.parse().expect("a header"));
        request
    }

    /// Retries a call until it is answered. The call is a closure that returns a future, because the future of an async
    /// closure cannot be bound by `Send`.
    async fn answer<T, Call>(&self, call: impl Fn(ReservationServiceClient<Channel>) -> Call) -> Result<T, Status>
    where
        Call: Future<Output = Result<Response<T>, Status>>,
    {
        let started = Instant::now();
        loop {
            match call(self.client.clone()).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) if !is_unanswered(&status) => return Err(status),
                Err(status) => {
                    self.unanswered.fetch_add(1, Ordering::Relaxed);
                    assert!(started.elapsed() < ANSWER_LIMIT, "never answered: {status:?}");
                    sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn book(&self, order: &CreateReservationRequest) -> Result<Reservation, Status> {
        let call = |mut client: ReservationServiceClient<Channel>| {
            let request = self.request(order.clone());
            async move { client.create_reservation(request).await }
        };
        self.answer(call).await
    }

    async fn cancel(&self, id: &str) -> Reservation {
        let call = |mut client: ReservationServiceClient<Channel>| {
            let request =
                self.request(CancelReservationRequest { reservation_id: id.to_owned(), ..Default::default() });
            async move { client.cancel_reservation(request).await }
        };
        self.answer(call).await.expect("cancelled")
    }

    async fn get(&self, id: &str) -> Result<Reservation, Status> {
        let call = |mut client: ReservationServiceClient<Channel>| {
            let request = self.request(GetReservationRequest { reservation_id: id.to_owned() });
            async move { client.get_reservation(request).await }
        };
        self.answer(call).await
    }

    /// Books, retries the booking, and cancels every third reservation twice.
    async fn live_through(&self, n: usize, order: &CreateReservationRequest) -> Fate {
        let fate = match self.book(order).await {
            Ok(booked) => {
                assert_eq!(booked.status(), ReservationStatus::PendingPayment);
                assert_eq!(self.book(order).await.expect("the same answer"), booked);
                Fate::Known(Box::new(if n.is_multiple_of(3) {
                    self.cancel_twice(&order.reservation_id).await
                } else {
                    booked
                }))
            }
            Err(status) => {
                assert_eq!(reason(&status), "ROOM_SOLD_OUT", "{status:?}");
                Fate::SoldOut(order.reservation_id.clone())
            }
        };
        self.answered.fetch_add(1, Ordering::Relaxed);
        fate
    }

    async fn cancel_twice(&self, id: &str) -> Reservation {
        let cancelled = self.cancel(id).await;
        assert_eq!(cancelled.status(), ReservationStatus::Cancelled);
        assert_eq!(self.cancel(id).await, cancelled);
        cancelled
    }

    async fn assert_true(&self, fate: &Fate) {
        match fate {
            Fate::Known(known) => assert_eq!(self.get(&known.reservation_id).await.expect("exists"), **known),
            Fate::SoldOut(id) => {
                assert_eq!(reason(&self.get(id).await.expect_err("was refused")), "RESERVATION_NOT_FOUND");
            }
        }
    }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Overlapping stays of one to three nights and one or two rooms, most of them in the hotel with enough rooms.
async fn orders(
    world: &World<'_>,
    guest: &Rest,
    scarce: HotelFixture,
    plenty: HotelFixture,
) -> Vec<CreateReservationRequest> {
    let mut orders = Vec::with_capacity(ORDERS);
    let numbers: Vec<usize> = (0..ORDERS).collect();
    for some in numbers.chunks(8) {
        let forms = some.iter().map(|n| async move {
            let (hotel, n) = (if n % 4 == 0 { scarce } else { plenty }, i32::try_from(*n).expect("few"));
            world.prepare(guest, hotel, &Stay::ahead(40 + n % 5, 1 + n % 3), 1 + n % 2).await
        });
        orders.extend(join_all(forms).await.iter().map(|form| CreateReservationRequest {
            reservation_id: form["reservation_id"].as_str().expect("an id").to_owned(),
            offer_token: form["offer_token"].as_str().expect("a token").to_owned(),
            primary_guest: Some(Guest { full_name: "A guest".into(), email: "guest@staymesh.example".into() }),
            ..CreateReservationRequest::default()
        }));
    }
    orders
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_service_and_database_under_load_keeps_acknowledged_bookings_and_invariants() {
    let mesh = PrivateMesh::start(Vec::new()).await;
    let world = World::on(&mesh).await;
    // A partner: a guest may not hold so many rooms.
    let guest = world.partner().await;
    let (scarce, plenty) = (world.hotel(20).await, world.hotel(600).await);
    let orders = Arc::new(orders(&world, &guest, scarce, plenty).await);
    let books = Books::of(&mesh).await;
    let load = Load::new(&world, &guest).await;

    let next = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (load, orders, next) = (load.clone(), orders.clone(), next.clone());
            tokio::spawn(async move {
                let mut fates = Vec::new();
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let Some(order) = orders.get(n) else { return fates };
                    fates.push(load.live_through(n, order).await);
                }
            })
        })
        .collect();
    let progress = |share: usize| {
        let answered = load.answered.clone();
        async move {
            let so_many = ORDERS * share / (KILLS + 3);
            eventually("the load goes on", async || (answered.load(Ordering::Relaxed) >= so_many).then_some(())).await;
        }
    };
    for kill in 1..=KILLS {
        progress(kill).await;
        operate(&mesh, |local| local.service("reservation")?.kill_now());
        // Only transactions that the killed process committed are visible: it is the only writer.
        books.assert_balanced().await;
        operate(&mesh, |local| local.restart("reservation"));
    }
    progress(KILLS + 1).await;
    operate(&mesh, |local| local.postgres().kill_now());
    operate(&mesh, |local| local.postgres().resume());
    assert!(load.answered.load(Ordering::Relaxed) < ORDERS, "the load was over before the database was killed");

    let fates: Vec<Fate> = join_all(callers).await.into_iter().flat_map(|done| done.expect("no panic")).collect();
    assert_eq!(fates.len(), ORDERS);
    assert!(load.unanswered.load(Ordering::Relaxed) >= KILLS, "no call lost its response");
    assert!(fates.iter().any(|fate| matches!(fate, Fate::SoldOut(_))), "the limit was never reached");
    for some in fates.chunks(CALLERS) {
        join_all(some.iter().map(|fate| load.assert_true(fate))).await;
    }
    books.assert_balanced().await;
    assert_no_dead_letters(&mesh).await;
    operate(&mesh, LocalMesh::check);
}
