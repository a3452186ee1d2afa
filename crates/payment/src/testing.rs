//! Fixtures that several test modules of this crate share.

use std::time::Duration;

use crate::model::{PaymentMode, ReservationStatus};
use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp, civil::date};
use sha2::Sha256;
use sqlx::PgPool;
use staymesh_domain::{CancellationTerms, Deadline, EarlyDeparture, HotelId, Money, PaymentId, ReservationId};
use staymesh_ledger::Split;
use staymesh_mesh::{Caller, auth::Role};
use staymesh_psp::{
    Checkout, CheckoutOrder, CheckoutStatus, Provider, Psp, PspError, RefundOrder, TransferOrder, Transferred,
    simulator::SimulatorPsp,
};
use staymesh_psp_simulator::{Config, FaultConfig, serve_on};
use staymesh_store::outbox::Wake;
use staymesh_testkit::TestDatabase;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::{
    MIGRATOR,
    clients::hotels::MockHotelClient,
    clients::reservations::{MockReservationClient, ReservationClient},
    model::{BOOKING, Booking, NewPayment, Payment, RefundReason, Settlement, Status},
    service::Payments,
    status_links::{LinkConfig, StatusLinks},
    store::{payment_events, payments, refunds},
};

mockall::mock! {
    /// The payment provider.
    pub(crate) Psp {}

    impl Psp for Psp {
        fn create_checkout(&self, order: CheckoutOrder) -> impl Future<Output = Result<Checkout, PspError>> + Send;
        fn expire_checkout(&self, session: String) -> impl Future<Output = Result<Checkout, PspError>> + Send;
        fn fetch_checkout(&self, session: String) -> impl Future<Output = Result<Checkout, PspError>> + Send;
        fn refund(&self, order: RefundOrder) -> impl Future<Output = Result<String, PspError>> + Send;
        fn transfer(&self, order: TransferOrder) -> impl Future<Output = Result<Transferred, PspError>> + Send;
    }
}

/// Signs the body of an event as the provider does; see `staymesh_psp::signature`.
pub(crate) fn sign(secret: &str, time: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    format!("t={time},v1={}", hex::encode(mac.finalize().into_bytes()))
}

pub(crate) async fn database() -> TestDatabase {
    TestDatabase::new("payment", &MIGRATOR).await.unwrap()
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::from_minor(minor, "EUR".parse().unwrap()).unwrap()
}

/// The end of a reservation whose policy gives back `minor` cents in all.
pub(crate) fn gives_back(minor: i64) -> Settlement {
    Settlement { refund: eur(minor), hold_expired: false }
}

pub(crate) fn reservation_id() -> ReservationId {
    ReservationId::generate(HotelId::try_from(7).unwrap(), Timestamp::now())
}

pub(crate) fn new_payment(reservation_id: ReservationId) -> NewPayment {
    let now = Timestamp::now();
    NewPayment {
        payment_id: PaymentId::new(),
        reservation_id,
        revision: BOOKING,
        owner: "guest-1".into(),
        amount: eur(10_000),
        split: Split::with_commission(eur(10_000), eur(700), 1500).unwrap(),
        check_out: date(2030, 5, 4),
        return_url: String::new(),
        expire_time: now + SignedDuration::from_mins(15),
        next_check_time: now + SignedDuration::from_mins(1),
    }
}

/// Opens a payment without a checkout.
pub(crate) async fn opened(pool: &PgPool, new: &NewPayment) -> Payment {
    payment_events::save(pool, new).await.unwrap();
    payments::open(pool, new).await.unwrap().expect("no page of another revision is open")
}

/// Opens a payment with a checkout, whose session and URL are derived from the id of the payment.
pub(crate) async fn open(pool: &PgPool) -> Payment {
    let payment = opened(pool, &new_payment(reservation_id())).await;
    let (session, url) = (session_of(payment.payment_id), format!("https://psp.example/{}", payment.payment_id));
    payments::save_checkout(pool, payment.payment_id, &session, &url).await.unwrap()
}

/// A payment of 100.00 in this status. In a refund status, a refund of 40.00 is requested.
pub(crate) async fn in_status(pool: &PgPool, status: Status) -> Payment {
    let id = open(pool).await.payment_id;
    let mut connection = pool.acquire().await.unwrap();
    if status.has_money() {
        payments::set_status(&mut connection, id, Status::Paid).await.unwrap();
    } else if status != Status::Pending {
        payments::set_status(&mut connection, id, status).await.unwrap();
    }
    if matches!(status, Status::Refunding | Status::Refunded) {
        sqlx::query("insert into refund (refund_id, payment_id, reason, request_id, amount_minor) values ($1, $1, 'REQUESTED', $1, 4000)")
            .bind(id.as_uuid()).execute(&mut *connection).await.unwrap();
    }
    if status == Status::Refunded {
        sqlx::query("update refund set status = 'SUCCEEDED', succeeded_at = now() where payment_id = $1")
            .bind(id.as_uuid())
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    now(pool, id).await
}

pub(crate) async fn now(pool: &PgPool, id: PaymentId) -> Payment {
    payments::find(pool, id).await.unwrap().unwrap()
}

pub(crate) fn session_of(id: PaymentId) -> String {
    format!("cs_{id}")
}

pub(crate) fn checkout(payment: &Payment, status: CheckoutStatus) -> Checkout {
    Checkout {
        session: session_of(payment.payment_id),
        url: "https://psp.example/p".into(),
        status,
        amount: payment.amount,
    }
}

pub(crate) fn service<P>(pool: &PgPool, reservations: impl ReservationClient, psp: P) -> Payments<P> {
    let minute = Duration::from_mins(1);
    let wake = Wake::default();
    let (pool, commission_basis_points, links) = (pool.clone(), 1500, links());
    // A mock without expectations: a test that needs the hotel service replaces it.
    let hotels = std::sync::Arc::new(MockHotelClient::new());
    Payments {
        pool,
        reservations: std::sync::Arc::new(reservations),
        hotels,
        psp,
        links,
        wake,
        check_after: minute,
        page_margin: minute,
        commission_basis_points,
        // 1,000,000.00 EUR.
        default_credit: "EUR=1000000".parse().unwrap(),
        partner_sales: std::sync::Arc::new(tokio::sync::Semaphore::new(4)),
    }
}

/// Addresses of status pages at `booking.example`.
pub(crate) fn links() -> StatusLinks {
    let key = BASE64_STANDARD.encode([7; 32]).parse().unwrap();
    let config = LinkConfig { public_url: "https://booking.example".into(), status_link_keys: vec![key] };
    StatusLinks::new(&config, None).unwrap()
}

pub(crate) fn booking() -> Booking {
    Booking {
        owner: "guest-1".into(),
        status: ReservationStatus::PendingPayment,
        cancellation: None,
        payment_mode: PaymentMode::GuestPays,
        total: eur(10_000),
        taxes: eur(700),
        rooms: vec![(3.try_into().unwrap(), 1)],
        guests: 2,
        check_in: date(2030, 5, 1),
        check_out: date(2030, 5, 4),
        create_time: Timestamp::now(),
        update_time: Timestamp::now(),
        hold_expire_time: Some(Timestamp::now() + SignedDuration::from_mins(15)),
        revision: BOOKING,
        pending_change: None,
        terms: Some(terms()),
    }
}

/// A reservation service that answers with this reservation.
pub(crate) fn reads(booking: Booking) -> MockReservationClient {
    let mut reservations = MockReservationClient::new();
    reservations.expect_get().returning(move |_| Ok(Some(booking.clone())));
    reservations
}

/// Free until two days before 1 May 2030, then 30.00 are kept.
pub(crate) fn terms() -> CancellationTerms {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    CancellationTerms {
        deadlines: vec![
            Deadline { until: Some(at("2030-04-29T00:00:00Z")), penalty: eur(0) },
            Deadline { until: None, penalty: eur(3_000) },
        ],
        grace: None,
        cancel_before: at("2030-05-02T00:00:00Z"),
        no_show: eur(3_000),
        no_show_from: at("2030-05-02T00:00:00Z"),
        no_show_until: at("2030-05-06T00:00:00Z"),
        early_departure: EarlyDeparture::default(),
    }
}

pub(crate) fn caller(subject: &str, role: Role, hotel_ids: &[i32]) -> Caller {
    let hotel_ids = hotel_ids.iter().map(|id| HotelId::try_from(*id).unwrap()).collect();
    Caller { subject: subject.into(), role, hotel_ids, email_verified: false, session: "s".into() }
}

/// The kinds of the undelivered events in the outbox, in order.
pub(crate) async fn outbox(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select kind from outbox where delivered_at is null and parked_at is null order by event_id")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// The adapter to the simulator at this address.
pub(crate) fn adapter(url: &str) -> SimulatorPsp {
    SimulatorPsp::new(url, "sk_test".into(), Duration::from_secs(5)).unwrap()
}

/// The provider simulator over HTTP in this process, until the guard is dropped.
pub(crate) async fn simulator(webhook: Option<&str>) -> (SimulatorPsp, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        api_key: "sk_test".into(),
        webhook_url: webhook.map(|url| url.parse().unwrap()),
        webhook_secret: "the secret of both sides".into(),
        webhook_attempts: 3,
        webhook_backoff: Duration::from_millis(10),
        max_sessions: 100,
        review_seconds: None,
        faults: FaultConfig::default(),
        state: None,
    };
    let stop = CancellationToken::new();
    let serving = stop.clone();
    tokio::spawn(async move { serve_on(listener, config, serving).await.unwrap() });
    (adapter(&url), stop.drop_guard())
}

/// Receives an event of this type about the checkout of a payment.
pub(crate) async fn receive_event(pool: &PgPool, payment: &Payment, kind: &str) {
    receive(pool, kind, payment, None).await;
}

/// Requests a refund of `minor` cents as an administrator; returns its id.
pub(crate) async fn request_refund(pool: &PgPool, payment: &Payment, minor: i64) -> Uuid {
    let request_id = Uuid::now_v7();
    let service = service(pool, reads(booking()), MockPsp::new());
    service.refund(payment.payment_id, Some(eur(minor)), false, request_id).await.unwrap();
    let mut connection = pool.acquire().await.unwrap();
    let made = refunds::find_by_request(&mut connection, RefundReason::Requested, request_id).await.unwrap();
    made.unwrap().refund_id
}

/// Receives the event that the provider has completed a refund.
pub(crate) async fn complete_refund(pool: &PgPool, payment: &Payment, refund_id: Uuid) {
    receive(pool, "refund.succeeded", payment, Some(refund_id)).await;
}

async fn receive(pool: &PgPool, kind: &str, payment: &Payment, refund_id: Option<Uuid>) {
    let id = Uuid::now_v7();
    let mut event = serde_json::json!({ "id": format!("evt_{id}"), "type": kind, "created": 1, "data": {
        "session": session_of(payment.payment_id), "reference": payment.payment_id,
        "amount_minor": payment.amount.minor(), "currency": payment.amount.currency().code(),
    }});
    if let Some(refund_id) = refund_id {
        let refund = refunds::find(pool, refund_id).await.unwrap().unwrap();
        event["data"]["refund"] = serde_json::json!({ "id": format!("re_{refund_id}"), "amount_minor": refund.amount.minor(), "reference": refund_id });
    }
    let service = service(pool, MockReservationClient::new(), MockPsp::new());
    service.receive(Provider::Simulator, event.to_string().as_bytes()).await.unwrap();
}

/// Deletes the postings that this SQL condition selects, as if a release without the ledger had handled the payments.
pub(crate) async fn unposted(pool: &PgPool, which: &str) {
    let sql = format!(
        "set session_replication_role = replica;
         delete from ledger_entry where transaction_id in (select transaction_id from ledger_transaction where {which});
         delete from ledger_transaction where {which};
         delete from wallet;
         set session_replication_role = default"
    );
    let mut connection = pool.acquire().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
}
