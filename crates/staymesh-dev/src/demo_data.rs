//! Three hotels with room types, rooms, prices and two years of inventory, made as an administrator would make them.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use jiff::ToSpan;
use secrecy::SecretString;
use staymesh_api::{
    hotel::v1::{
        Address, AgeBand, Bed, BedKind, CreateHotelRequest, CreateRoomRequest, CreateRoomTypeRequest, GeoPoint, Hotel,
        Room, RoomType, hotel_admin_service_client::HotelAdminServiceClient,
    },
    rate::v1::{
        CancellationPolicy, CancellationTier, DaysBefore, OccupancyRule, Penalty, RoomRate, SetNightlyPricesRequest,
        SetRoomRateRequest, SetTaxesRequest, Tax, cancellation_tier::Deadline, penalty,
        rate_admin_service_client::RateAdminServiceClient, tax::Kind,
    },
    reservation::v1::{SetInventoryRequest, inventory_admin_service_client::InventoryAdminServiceClient},
    r#type::v1::Money,
};
use tokio::time::sleep;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    gateway::{Authorized, Credentials, connect},
    today::today_in,
};

/// Loads a small data set.
#[derive(Args)]
pub(crate) struct DemoData {
    /// The internal gateway
    #[arg(long, default_value = "http://127.0.0.1:8081")]
    internal_url: String,
    /// The administrator
    #[arg(long)]
    email: String,
    /// The administrator's password
    #[arg(long, env = "STAYMESH_ADMIN_PASSWORD", hide_env_values = true)]
    password: SecretString,
}

struct Sample {
    name: &'static str,
    street: &'static str,
    city: &'static str,
    country: &'static str,
    time_zone: &'static str,
    currency: &'static str,
    /// Degrees north and east.
    location: (f64, f64),
    stars: i32,
    /// What a double costs on a normal night.
    price: u32,
}

const HOTELS: [Sample; 3] = [
    Sample {
        name: "Riverside Lisbon",
        street: "Cais do Sodré 1",
        city: "Lisbon",
        country: "PT",
        time_zone: "Europe/Lisbon",
        currency: "EUR",
        location: (38.7057, -9.1443),
        stars: 4,
        price: 140,
    },
    Sample {
        name: "Algarve Beach Resort",
        street: "Praia da Rocha 20",
        city: "Portimão",
        country: "PT",
        time_zone: "Europe/Lisbon",
        currency: "EUR",
        location: (37.1190, -8.5380),
        stars: 5,
        price: 220,
    },
    Sample {
        name: "Kamo River Kyoto",
        street: "Kiyamachi-dori 3",
        city: "Kyoto",
        country: "JP",
        time_zone: "Asia/Tokyo",
        currency: "JPY",
        location: (35.0037, 135.7708),
        stars: 4,
        price: 24_000,
    },
];

struct SampleRoomType {
    name: &'static str,
    bed: BedKind,
    /// Adults, whom the base price is for.
    adults: i32,
    /// Children in places of their own, on the sofa.
    children: i32,
    cots: i32,
    /// Rooms for sale.
    rooms: i32,
    /// Price in per cent of the double.
    percent: u32,
}

const ROOM_TYPES: [SampleRoomType; 3] = [
    SampleRoomType { name: "Single", bed: BedKind::Single, adults: 1, children: 0, cots: 0, rooms: 10, percent: 70 },
    SampleRoomType { name: "Double", bed: BedKind::Queen, adults: 2, children: 0, cots: 1, rooms: 40, percent: 100 },
    SampleRoomType {
        name: "Family suite",
        bed: BedKind::King,
        adults: 2,
        children: 2,
        cots: 1,
        rooms: 8,
        percent: 190,
    },
];

/// Attempts to add a hotel while a service is unavailable, as services are that start on a busy machine.
const ATTEMPTS: u32 = 10;
/// Interval between them.
const INTERVAL: Duration = Duration::from_secs(1);

/// Nights on sale from today, as the daily job keeps it.
const NIGHTS: i64 = 731;

impl DemoData {
    pub(crate) async fn run(self) -> Result<()> {
        let channel = connect(&self.internal_url).await?;
        let bearer = Credentials::Account { email: self.email, password: self.password }.log_in(&channel).await?;
        let mut admin = Administrator {
            hotels: HotelAdminServiceClient::with_interceptor(channel.clone(), bearer.clone()),
            rates: RateAdminServiceClient::with_interceptor(channel.clone(), bearer.clone()),
            inventory: InventoryAdminServiceClient::with_interceptor(channel, bearer),
        };
        for (number, sample) in (1u128..).zip(&HOTELS) {
            let hotel_id =
                admin.add_hotel_patiently(number, sample).await.with_context(|| format!("adding {}", sample.name))?;
            println!("hotel {hotel_id}: {}, {}", sample.name, sample.city);
        }
        Ok(())
    }
}

struct Administrator {
    hotels: HotelAdminServiceClient<Authorized>,
    rates: RateAdminServiceClient<Authorized>,
    inventory: InventoryAdminServiceClient<Authorized>,
}

impl Administrator {
    /// Adds a hotel, with up to [`ATTEMPTS`] attempts.
    async fn add_hotel_patiently(&mut self, number: u128, sample: &Sample) -> Result<i32> {
        for _ in 1..ATTEMPTS {
            match self.add_hotel(number, sample).await {
                Err(error) if is_unavailable(&error) => sleep(INTERVAL).await,
                added => return added,
            }
        }
        self.add_hotel(number, sample).await
    }

    /// Adds a hotel with everything in it. The request ids are the same every time, so that repeating it adds nothing.
    async fn add_hotel(&mut self, number: u128, sample: &Sample) -> Result<i32> {
        let request_id = request_id(number * 1000);
        let hotel = Some(hotel(sample));
        let made = self.hotels.create_hotel(CreateHotelRequest { hotel, request_id }).await?.into_inner();
        let hotel_id = made.hotel_id;
        self.rates.set_taxes(SetTaxesRequest { hotel_id, taxes: taxes(sample), etag: String::new() }).await?;
        for (at, kind) in (1u128..).zip(&ROOM_TYPES) {
            self.add_room_type(hotel_id, number * 1000 + at * 100, sample, kind).await?;
        }
        Ok(hotel_id)
    }

    async fn add_room_type(
        &mut self,
        hotel_id: i32,
        number: u128,
        sample: &Sample,
        kind: &SampleRoomType,
    ) -> Result<()> {
        let SampleRoomType { name, bed, adults, children, cots, rooms, percent } = *kind;
        let sofa = (children > 0).then_some(BedKind::Sofa);
        let room_type = RoomType {
            display_name: name.to_owned(),
            description: format!("{name} in {}", sample.name),
            beds: [Some(bed), sofa].into_iter().flatten().map(|kind| Bed { kind: kind.into(), count: 1 }).collect(),
            base_occupancy: Some(adults),
            max_occupancy: adults + children,
            max_adults: Some(adults),
            max_children: children,
            max_infants: cots,
            amenities: vec!["wifi".to_owned(), "desk".to_owned()],
            ..RoomType::default()
        };
        let request = CreateRoomTypeRequest { hotel_id, room_type: Some(room_type), request_id: request_id(number) };
        let made = self.hotels.create_room_type(request).await?.into_inner();
        let room_type_id = made.room_type_id;
        let room = Room {
            room_type_id,
            room_number: format!("{}01", number / 100 % 10),
            floor: i32::try_from(number / 100 % 10)?,
            ..Room::default()
        };
        let request = CreateRoomRequest { hotel_id, room: Some(room), request_id: request_id(number + 1) };
        self.hotels.create_room(request).await?;
        self.set_prices(hotel_id, room_type_id, sample, sample.price * percent / 100).await?;
        let today = today_in(sample.time_zone)?;
        self.inventory
            .set_inventory(SetInventoryRequest {
                hotel_id,
                room_type_id,
                from_date: today.to_string(),
                until_date: today.saturating_add(NIGHTS.days()).to_string(),
                total_inventory: Some(rooms),
                for_future_nights: true,
                ..SetInventoryRequest::default()
            })
            .await?;
        Ok(())
    }

    async fn set_prices(&mut self, hotel_id: i32, room_type_id: i32, sample: &Sample, price: u32) -> Result<()> {
        let rate = RoomRate {
            base_price: Some(money(sample, price)),
            occupancy_rules: vec![
                OccupancyRule { sold_percent: 60, price_change_percent: 15 },
                OccupancyRule { sold_percent: 85, price_change_percent: 40 },
            ],
            cancellation_policy: Some(policy()),
            ..RoomRate::default()
        };
        self.rates.set_room_rate(SetRoomRateRequest { hotel_id, room_type_id, rate: Some(rate) }).await?;
        let today = today_in(sample.time_zone)?;
        self.rates
            .set_nightly_prices(SetNightlyPricesRequest {
                hotel_id,
                room_type_id,
                from_date: today.to_string(),
                until_date: today.saturating_add(NIGHTS.days()).to_string(),
                // Friday and Saturday.
                weekdays: vec![5, 6],
                price: Some(money(sample, price * 5 / 4)),
                etag: String::new(),
            })
            .await?;
        Ok(())
    }
}

fn is_unavailable(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Status>().is_some_and(|status| status.code() == Code::Unavailable)
}

fn hotel(sample: &Sample) -> Hotel {
    Hotel {
        display_name: sample.name.to_owned(),
        description: format!("A hotel in {} to try Staymesh with.", sample.city),
        address: Some(Address {
            street: sample.street.to_owned(),
            city: sample.city.to_owned(),
            country_code: sample.country.to_owned(),
            ..Address::default()
        }),
        location: Some(GeoPoint { latitude: sample.location.0, longitude: sample.location.1 }),
        time_zone: sample.time_zone.to_owned(),
        currency_code: sample.currency.to_owned(),
        star_rating: sample.stars,
        amenities: vec!["breakfast".to_owned(), "pool".to_owned()],
        age_bands: vec![
            AgeBand { code: "INFANT".to_owned(), min_age: 0, max_age: 2 },
            AgeBand { code: "CHILD".to_owned(), min_age: 3, max_age: 11 },
        ],
        ..Hotel::default()
    }
}

fn taxes(sample: &Sample) -> Vec<Tax> {
    let city_tax = if sample.currency == "JPY" { 500 } else { 4 };
    vec![
        Tax { display_name: "VAT".to_owned(), kind: Some(Kind::BasisPoints(600)) },
        Tax { display_name: "City tax".to_owned(), kind: Some(Kind::PerRoomNight(money(sample, city_tax))) },
    ]
}

/// A whole amount in the hotel's currency.
fn money(sample: &Sample, amount: u32) -> Money {
    Money { currency_code: sample.currency.to_owned(), amount: amount.to_string() }
}

/// Free until 18:00 two days before, then a quarter, from 18:00 of the day before on a half; a no-show pays all.
fn policy() -> CancellationPolicy {
    let share = |basis_points| Some(Penalty { kind: Some(penalty::Kind::BasisPoints(basis_points)) });
    let until = |days, penalty| CancellationTier {
        deadline: Some(Deadline::DaysBefore(DaysBefore { days, at: "18:00".to_owned() })),
        penalty,
    };
    CancellationPolicy {
        tiers: vec![
            until(2, share(0)),
            until(1, share(2_500)),
            CancellationTier { deadline: None, penalty: share(5_000) },
        ],
        no_show_penalty: share(10_000),
        ..CancellationPolicy::default()
    }
}

/// The same id for the same thing, in every run.
fn request_id(number: u128) -> String {
    Uuid::from_u128(0x5737_6179_6d65_4473_a800_0000_0000_0000 + number).to_string()
}
