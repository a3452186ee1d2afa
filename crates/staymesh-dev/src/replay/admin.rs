//! Calls of the administrator: creates hotels and partners, and reads reservations and inventory.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use backon::{ExponentialBuilder, Retryable};
use jiff::civil::Date;
use staymesh_api::{
    hotel::v1::{
        Address, Bed, BedKind, CreateHotelRequest, CreateRoomTypeRequest, Hotel, RoomType,
        hotel_admin_service_client::HotelAdminServiceClient,
    },
    identity::v1::{
        CreateClientRequest, DeleteClientRequest, ListClientsRequest, Role,
        identity_admin_service_client::IdentityAdminServiceClient,
    },
    rate::v1::{
        CancellationPolicy, CancellationTier, Penalty, RoomRate, SetRoomRateRequest, penalty::Kind,
        rate_admin_service_client::RateAdminServiceClient,
    },
    reservation::v1::{
        InventoryNight, ListInventoryRequest, ListReservationsRequest, Reservation, SetInventoryRequest,
        inventory_admin_service_client::InventoryAdminServiceClient,
        reservation_service_client::ReservationServiceClient,
    },
};
use staymesh_mesh::proto_types;
use tonic::{Code, Response, Status, transport::Channel};
use uuid::Uuid;

use super::{plan::Lane, recording::CURRENCY, run::Run};
use crate::gateway::{Authorized, Bearer, Credentials};

/// Longest time that a call is retried.
const PATIENCE: Duration = Duration::from_mins(2);
const PAGE: i32 = 500;
/// The time zone of the hotels.
pub(super) const TIME_ZONE: &str = "Europe/Lisbon";

/// Retries an idempotent call while a service restarts or the edge limits the rate.
pub(super) async fn patiently<T, Call>(call: impl FnMut() -> Call) -> Result<T, Status>
where
    Call: Future<Output = Result<Response<T>, Status>>,
{
    let delays = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_secs(1))
        .with_total_delay(Some(PATIENCE))
        .without_max_times()
        .with_jitter();
    let passing = |status: &Status| {
        matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::DeadlineExceeded | Code::Aborted)
    };
    call.retry(delays).when(passing).await.map(Response::into_inner)
}

#[derive(Clone)]
pub(super) struct Administrator {
    hotels: HotelAdminServiceClient<Authorized>,
    identity: IdentityAdminServiceClient<Authorized>,
    inventory: InventoryAdminServiceClient<Authorized>,
    pub(super) rates: RateAdminServiceClient<Authorized>,
    pub(super) reservations: ReservationServiceClient<Authorized>,
}

impl Administrator {
    pub(super) fn new(internal: &Channel, bearer: &Bearer) -> Self {
        let (internal, bearer) = (|| internal.clone(), || bearer.clone());
        Self {
            hotels: HotelAdminServiceClient::with_interceptor(internal(), bearer()),
            identity: IdentityAdminServiceClient::with_interceptor(internal(), bearer()),
            inventory: InventoryAdminServiceClient::with_interceptor(internal(), bearer()),
            rates: RateAdminServiceClient::with_interceptor(internal(), bearer()),
            reservations: ReservationServiceClient::with_interceptor(internal(), bearer()),
        }
    }

    /// Creates a hotel. Idempotent per run.
    pub(super) async fn hotel(&self, run: &Run, name: &str) -> Result<i32> {
        let hotel = Hotel {
            display_name: name.to_owned(),
            description: "Made to play a recording of bookings.".to_owned(),
            address: Some(Address { city: "Replay".to_owned(), country_code: "PT".to_owned(), ..Address::default() }),
            time_zone: TIME_ZONE.to_owned(),
            currency_code: CURRENCY.to_owned(),
            ..Hotel::default()
        };
        let request = CreateHotelRequest { hotel: Some(hotel), request_id: run.request_id(&["hotel", name]) };
        let made = patiently(async || self.hotels.clone().create_hotel(request.clone()).await).await;
        Ok(made.with_context(|| format!("making hotel {name}"))?.hotel_id)
    }

    /// Creates a room type. Idempotent per run.
    pub(super) async fn room_type(&self, run: &Run, hotel_id: i32, lane: &Lane) -> Result<i32> {
        let room_type = RoomType {
            display_name: format!("Room type {}", lane.room_type),
            beds: vec![Bed { kind: BedKind::Double.into(), count: 1 }],
            max_occupancy: lane.max_occupancy,
            ..RoomType::default()
        };
        let request_id = run.request_id(&["room type", &lane.hotel, &lane.room_type]);
        let request = CreateRoomTypeRequest { hotel_id, room_type: Some(room_type), request_id };
        let made = patiently(async || self.hotels.clone().create_room_type(request.clone()).await).await;
        Ok(made.with_context(|| format!("making room type {}", lane.room_type))?.room_type_id)
    }

    /// Puts the rooms of a room type on sale, without overbooking.
    pub(super) async fn put_on_sale(&self, ids: (i32, i32), lane: &Lane, (from, until): (Date, Date)) -> Result<()> {
        let (hotel_id, room_type_id) = ids;
        // A placeholder rate: each night is priced by its booking before it is sold.
        let base_price = lane.bookings.first().map(|row| proto_types::money(row.price));
        let nothing = Penalty { kind: Some(Kind::BasisPoints(0)) };
        let free = CancellationTier { deadline: None, penalty: Some(nothing) };
        let cancellation_policy = Some(CancellationPolicy { tiers: vec![free], ..CancellationPolicy::default() });
        let rate = Some(RoomRate { base_price, cancellation_policy, ..RoomRate::default() });
        let request = SetRoomRateRequest { hotel_id, room_type_id, rate };
        patiently(async || self.rates.clone().set_room_rate(request.clone()).await)
            .await
            .context("setting the rate")?;
        let request = SetInventoryRequest {
            hotel_id,
            room_type_id,
            from_date: from.to_string(),
            until_date: until.to_string(),
            total_inventory: Some(lane.rooms),
            overbooking_percent: Some(0),
            ..SetInventoryRequest::default()
        };
        let set = patiently(async || self.inventory.clone().set_inventory(request.clone()).await).await;
        set.context("putting the rooms on sale").map(drop)
    }

    /// Registers a partner with an id that begins with `prefix`.
    pub(super) async fn partner(&self, prefix: &str) -> Result<Credentials> {
        // Ids are unique for good, and the secrets of earlier attempts are not kept.
        let id = format!("{prefix}{}", &Uuid::new_v4().simple().to_string()[..12]);
        let request = CreateClientRequest {
            client_id: id.clone(),
            display_name: "Plays a recording".to_owned(),
            role: Role::Partner.into(),
            request_id: Uuid::new_v4().to_string(),
        };
        let made = patiently(async || self.identity.clone().create_client(request.clone()).await).await;
        let secret = made.context("registering a partner")?.client_secret;
        Ok(Credentials::Client { id, secret })
    }

    /// Deletes all partners whose ids begin with `prefix`, and revokes their tokens.
    pub(super) async fn remove_partners(&self, prefix: &str) -> Result<()> {
        let mut page_token = String::new();
        let mut ids = Vec::new();
        loop {
            let request = ListClientsRequest { page_size: PAGE, page_token };
            let page = patiently(async || self.identity.clone().list_clients(request.clone()).await).await;
            let page = page.context("listing partners")?;
            ids.extend(page.clients.into_iter().map(|client| client.client_id).filter(|id| id.starts_with(prefix)));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        for client_id in ids {
            let request = DeleteClientRequest { client_id };
            let removed = patiently(async || self.identity.clone().delete_client(request.clone()).await).await;
            removed.context("removing a partner")?;
        }
        Ok(())
    }

    /// All reservations of a hotel.
    pub(super) async fn reservations(&self, hotel_id: i32) -> Result<Vec<Reservation>> {
        let mut all = Vec::new();
        let mut request = ListReservationsRequest { hotel_id, page_size: PAGE, ..ListReservationsRequest::default() };
        loop {
            let page = patiently(async || self.reservations.clone().list_reservations(request.clone()).await).await;
            let page = page.context("listing reservations")?;
            all.extend(page.reservations);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                return Ok(all);
            }
        }
    }

    /// The nights of a room type.
    pub(super) async fn nights(&self, ids: (i32, i32), (from, until): (Date, Date)) -> Result<Vec<InventoryNight>> {
        let mut all = Vec::new();
        let mut request = ListInventoryRequest {
            hotel_id: ids.0,
            room_type_id: ids.1,
            from_date: from.to_string(),
            until_date: until.to_string(),
            page_size: PAGE,
            page_token: String::new(),
        };
        loop {
            let page = patiently(async || self.inventory.clone().list_inventory(request.clone()).await).await;
            let page = page.context("listing the inventory")?;
            all.extend(page.nights);
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                ensure!(!all.is_empty(), "room type {} has no inventory", ids.1);
                return Ok(all);
            }
        }
    }
}
