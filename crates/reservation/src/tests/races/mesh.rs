//! The services of this crate on loopback, with a database of their own, and their clients.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use sqlx::{PgPool, postgres::PgPoolOptions};
use staymesh_api::reservation::v1::{
    self as proto, inventory_admin_service_client::InventoryAdminServiceClient,
    reservation_flow_service_client::ReservationFlowServiceClient,
    reservation_service_client::ReservationServiceClient,
};
use staymesh_domain::{
    CancellationPolicy, ChildRules, DateRange, HotelId, HotelTime, Money, Occupancy, Penalty, RoomCount, RoomTypeId,
    Stay, StayDates, Tier, Until,
};
use staymesh_mesh::{Caller, Problem, auth::Role};
use staymesh_store::outbox::Wake;
use staymesh_testkit::TestDatabase;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status,
    service::{InterceptorLayer, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};

use super::date;
use crate::{
    BookingService, Dependencies, LongHolds, MIGRATOR, UnpaidLimits, Writer,
    clients::{HotelInfo, MockHotelClient, MockPaymentClient, RateClient, RoomTypeDemand, RoomTypeInfo, RoomTypePrice},
    offer_token::OfferSigner,
    quote::{Night, Quote},
    routes,
    store::{InventoryChange, Store},
};

pub(super) const HOTEL: i32 = 7;
/// Nights on sale.
pub(super) const NIGHTS: usize = 8;
/// Rooms of each type.
pub(super) const ROOMS: i32 = 4;
/// The metadata that names the account of a call.
const ACCOUNT: &str = "account";

type Called = InterceptedService<Channel, As>;

/// Names the account of each call.
#[derive(Clone)]
pub(super) struct As(&'static str);

impl tonic::service::Interceptor for As {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert(ACCOUNT, tonic::metadata::MetadataValue::from_static(self.0));
        Ok(request)
    }
}

/// Clients of the services.
#[derive(Clone)]
pub(super) struct Users {
    pub(super) guest: ReservationServiceClient<Called>,
    pub(super) staff: ReservationServiceClient<Called>,
    pub(super) inventory: InventoryAdminServiceClient<Called>,
    /// The payment service.
    pub(super) payments: ReservationFlowServiceClient<Called>,
}

/// The running services.
pub(super) struct Mesh {
    database: TestDatabase,
    pool: PgPool,
    channel: Channel,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Mesh {
    pub(super) async fn start() -> Self {
        let database = TestDatabase::new("reservation", &MIGRATOR).await.expect("a database");
        let options = database.pool().connect_options().as_ref().clone();
        let pool = PgPoolOptions::new().max_connections(8).connect_with(options).await.expect("a pool");
        let store = Store::new(pool.clone());
        sell(&store).await;
        let (writer, lanes) = Writer::new(&store, 2);
        let mut tasks: Vec<_> = lanes.into_iter().map(tokio::spawn).collect();
        let service = BookingService::new(Dependencies {
            store,
            writer,
            hotels: Box::new(hotels()),
            rates: Box::new(Rates),
            payments: Arc::new(MockPaymentClient::new()),
            offers: OfferSigner::new(&format!("k:{}", BASE64_STANDARD.encode([1; 32])).parse().expect("keys")),
            hold: Duration::from_mins(15),
            unpaid: UnpaidLimits::unlimited(),
            long_holds: LongHolds::default(),
            wake: Wake::default(),
        });
        let incoming = TcpIncoming::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port");
        let address = incoming.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let serving = Server::builder()
            .layer(InterceptorLayer::new(identify))
            .add_routes(routes(Arc::new(service)))
            .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
        tasks.push(tokio::spawn(async move { serving.await.expect("serves") }));
        let channel = Endpoint::from_shared(format!("http://{address}")).expect("a URL").connect().await;
        Self { database, pool, channel: channel.expect("connects"), stop, tasks }
    }

    pub(super) fn users(&self) -> Users {
        let called = |account| InterceptedService::new(self.channel.clone(), As(account));
        Users {
            guest: ReservationServiceClient::new(called("guest")),
            staff: ReservationServiceClient::new(called("staff")),
            inventory: InventoryAdminServiceClient::new(called("staff")),
            payments: ReservationFlowServiceClient::new(called("service")),
        }
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Transactions of the database that were ended because of a deadlock.
    pub(super) async fn deadlocks(&self) -> i64 {
        deadlocks(self.database.pool()).await
    }

    /// Stops the services and closes their connections, so that all they counted is in the statistics.
    pub(super) async fn stop(self) -> Stopped {
        drop(self.channel);
        self.stop.cancel();
        for task in self.tasks {
            task.await.expect("ends");
        }
        self.pool.close().await;
        Stopped(self.database)
    }
}

/// The database after the services stopped.
pub(super) struct Stopped(TestDatabase);

impl Stopped {
    pub(super) async fn deadlocks(&self) -> i64 {
        deadlocks(self.0.pool()).await
    }
}

async fn deadlocks(pool: &PgPool) -> i64 {
    let found = sqlx::query_scalar("select deadlocks from pg_stat_database where datname = current_database()");
    found.fetch_one(pool).await.expect("statistics")
}

/// The caller of a request, by the account that it names.
fn identify(mut request: Request<()>) -> Result<Request<()>, Status> {
    let account = request.metadata().get(ACCOUNT).and_then(|account| account.to_str().ok());
    let account = account.ok_or_else(|| Status::unauthenticated("no account"))?;
    let role = match account {
        "guest" => Role::Guest,
        "staff" => Role::Staff,
        _ => Role::Service,
    };
    let caller = Caller {
        subject: account.to_owned(),
        role,
        hotel_ids: vec![HotelId::try_from(HOTEL).expect("an id")],
        email_verified: true,
        session: String::new(),
    };
    request.extensions_mut().insert(caller);
    Ok(request)
}

async fn sell(store: &Store) {
    let changes: Vec<_> = [1, 2, 3]
        .into_iter()
        .map(|id| InventoryChange {
            room_type_id: RoomTypeId::try_from(id).expect("an id"),
            nights: DateRange::new(date(0), date(NIGHTS)).expect("a range"),
            total_inventory: ROOMS,
            overbooking_percent: Some(0),
            for_future_nights: false,
            etag: String::new(),
        })
        .collect();
    store.set_inventory(HotelId::try_from(HOTEL).expect("an id"), &changes).await.expect("inventory");
}

fn time() -> HotelTime {
    HotelTime::parse("Etc/UTC", "15:00", "00:00").expect("a calendar")
}

/// A hotel with three room types; its rooms are of type 3.
fn hotels() -> MockHotelClient {
    let info = |id: RoomTypeId| RoomTypeInfo {
        room_type_id: id,
        display_name: format!("type {}", id.get()),
        occupancy: Occupancy::of_adults(2),
    };
    let mut hotels = MockHotelClient::new();
    hotels.expect_hotel().returning(|_| {
        Ok(HotelInfo { time: time(), child_rules: ChildRules::default(), room_required_at_check_in: false })
    });
    hotels.expect_hotel_time().returning(|_| Ok(time()));
    hotels.expect_room_type().returning(move |_, id| Ok(info(id)));
    hotels.expect_room_types().returning(move |_| {
        Ok([1, 2, 3].into_iter().map(|id| info(RoomTypeId::try_from(id).expect("an id"))).collect())
    });
    hotels.expect_room_type_of().returning(|_, _| Ok(RoomTypeId::try_from(3).expect("an id")));
    hotels
}

/// A night costs 100.00, in every later night of the test 1.00 more: a change to later nights is to be paid.
struct Rates;

#[tonic::async_trait]
impl RateClient for Rates {
    async fn price(
        &self,
        _: HotelId,
        stay: StayDates,
        time: HotelTime,
        demand: Vec<RoomTypeDemand>,
    ) -> Result<Vec<RoomTypePrice>, Problem> {
        let euro = |minor| Money::from_minor(minor, "EUR".parse().expect("a currency")).expect("an amount");
        let dearer = |night: jiff::civil::Date| i64::from((night - date(0)).get_days()) * 100;
        let nights: Vec<_> = stay.nights().map(|date| Night { date, price: euro(10_000 + dearer(date)) }).collect();
        let prices: Vec<Money> = nights.iter().map(|night| night.price).collect();
        let total = Money::sum(euro(0).currency(), prices.iter().copied()).expect("a sum");
        let policy = CancellationPolicy::of_tiers(vec![Tier { until: Until::Always, penalty: Penalty::None }]);
        let of = Stay { dates: stay, time: &time, rooms: RoomCount::ONE, nights: &prices, zero: euro(0) };
        let terms = policy.resolve(&of, Timestamp::now()).expect("terms");
        let price = |demand: &RoomTypeDemand| RoomTypePrice {
            room_type_id: demand.room_type_id,
            quote: Quote::new(nights.clone(), total, vec![], total, terms.clone()),
        };
        Ok(demand.iter().map(price).collect())
    }
}

impl Users {
    /// Every reservation of the hotel.
    pub(super) async fn reservations(&self) -> Vec<proto::Reservation> {
        let mut all = Vec::new();
        let mut request = proto::ListReservationsRequest { hotel_id: HOTEL, page_size: 100, ..Default::default() };
        loop {
            let page = self.staff.clone().list_reservations(request.clone()).await.expect("a page").into_inner();
            all.extend(page.reservations);
            if page.next_page_token.is_empty() {
                return all;
            }
            request.page_token = page.next_page_token;
        }
    }
}
