//! Concurrent bookings (R10, R12, R13), over gRPC through the edge. The callers are partners, because unpaid rooms of
//! guests are limited.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use serde_json::Value;
use staymesh_api::reservation::v1::{
    CreateReservationRequest, Guest, Reservation, reservation_service_client::ReservationServiceClient,
};
use tonic::{Request, Status, transport::Channel};
use tonic_types::StatusExt;

use crate::support::{HotelFixture, Rest, Stay, World};

/// A gRPC caller through the public gateway.
#[derive(Clone)]
struct Caller {
    client: ReservationServiceClient<Channel>,
    token: String,
}

impl Caller {
    async fn new(world: &World<'_>, rest: &Rest) -> Self {
        let channel = Channel::from_shared(world.mesh.public_url().to_owned())
            .expect("an address")
            .connect()
            .await
            .expect("connects");
        Self { client: ReservationServiceClient::new(channel), token: format!("Bearer {}", rest.token()) }
    }

    async fn book(&self, order: &CreateReservationRequest) -> Result<Reservation, Status> {
        let mut request = Request::new(order.clone());
        request.metadata_mut().insert("authorization", self.token.parse().expect("a header"));
        Ok(self.client.clone().create_reservation(request).await?.into_inner())
    }
}

fn order(form: &Value) -> CreateReservationRequest {
    let text = |field: &str| form[field].as_str().expect("a text").to_owned();
    CreateReservationRequest {
        reservation_id: text("reservation_id"),
        offer_token: text("offer_token"),
        primary_guest: Some(Guest { full_name: "A guest".into(), email: "guest@staymesh.example".into() }),
        ..CreateReservationRequest::default()
    }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Order forms for one room each, prepared 32 at a time.
async fn forms(world: &World<'_>, guest: &Rest, hotel: HotelFixture, stays: &[Stay]) -> Vec<CreateReservationRequest> {
    let mut forms = Vec::with_capacity(stays.len());
    for some in stays.chunks(32) {
        let prepared = some.iter().map(|stay| world.prepare(guest, hotel, stay, 1));
        forms.extend(join_all(prepared).await.iter().map(order));
    }
    forms
}

async fn reserved(world: &World<'_>, hotel: HotelFixture, stay: &Stay) -> Vec<i64> {
    let query = format!("?from_date={}&until_date={}", stay.check_in, stay.check_out);
    let nights = world.admin.get(&(hotel.path("inventory") + &query)).await.ok();
    let nights = nights["nights"].as_array().expect("nights").iter();
    nights.map(|night| night["total_reserved"].as_i64().expect("a count")).collect()
}

/// A list with more pages than this does not end.
const MAX_PAGES: usize = 100;

/// The number of active reservations of a hotel, read by staff over all pages.
async fn active(world: &World<'_>, hotel: HotelFixture) -> usize {
    let mut count = 0;
    let mut token = String::new();
    for _ in 0..MAX_PAGES {
        let path = format!(
            "/v1/reservations?hotel_id={}&status=RESERVATION_STATUS_PENDING_PAYMENT&page_size=500&page_token={token}",
            hotel.hotel_id
        );
        let page = world.admin.get(&path).await.ok();
        count += page["reservations"].as_array().expect("a list").len();
        page["next_page_token"].as_str().unwrap_or_default().clone_into(&mut token);
        if token.is_empty() {
            return count;
        }
    }
    panic!("the list has more than {MAX_PAGES} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousand_concurrent_bookings_for_100_rooms_accept_exactly_110() {
    let world = World::shared().await;
    let hotel = world.hotel(100).await;
    let guest = world.partner().await;
    let stay = Stay::ahead(40, 3);
    let forms = Arc::new(forms(&world, &guest, hotel, &vec![stay.clone(); 1000]).await);
    let next = Arc::new(AtomicUsize::new(0));
    let clients = join_all((0..64).map(|_| Caller::new(&world, &guest))).await.into_iter().map(|caller| {
        let (forms, next) = (forms.clone(), next.clone());
        tokio::spawn(async move {
            let (mut won, mut sold_out) = (0, 0);
            while let Some(order) = forms.get(next.fetch_add(1, Ordering::Relaxed)) {
                match caller.book(order).await {
                    Ok(_) => won += 1,
                    Err(status) if reason(&status) == "ROOM_SOLD_OUT" => sold_out += 1,
                    Err(status) => panic!("neither booked nor sold out: {status:?}"),
                }
            }
            (won, sold_out)
        })
    });
    let outcomes = join_all(clients).await;
    let (won, sold_out) = outcomes
        .into_iter()
        .map(|outcome| outcome.expect("no panic"))
        .fold((0, 0), |(a, b), (won, sold_out)| (a + won, b + sold_out));
    assert_eq!((won, sold_out), (110, 890));
    assert_eq!(reserved(&world, hotel, &stay).await, [110; 3]);
    assert_eq!(active(&world, hotel).await, 110);
}

#[tokio::test(flavor = "multi_thread")]
async fn stay_with_one_sold_out_night_books_no_night() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let caller = Caller::new(&world, &guest).await;
    let stay = Stay::ahead(40, 4);
    let form = order(&world.prepare(&guest, hotel, &stay, 1).await);
    world.set_inventory(hotel, 42, 43, 0).await;
    let refused = caller.book(&form).await.expect_err("one night is short");
    assert_eq!(reason(&refused), "ROOM_SOLD_OUT");
    assert_eq!(reserved(&world, hotel, &stay).await, [0; 4]);
    assert_eq!(active(&world, hotel).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_stays_in_opposite_orders_do_not_deadlock() {
    let world = World::shared().await;
    let hotel = world.hotel(300).await;
    let guest = world.partner().await;
    let early = Stay::ahead(40, 7);
    let late = Stay::ahead(44, 7);
    let stays: Vec<Stay> = (0..200).map(|n| if n % 2 == 0 { early.clone() } else { late.clone() }).collect();
    let forms = forms(&world, &guest, hotel, &stays).await;
    let caller = Caller::new(&world, &guest).await;
    for outcome in join_all(forms.iter().map(|form| caller.book(form))).await {
        outcome.expect("no deadlock, no time-out");
    }
    let whole = Stay { check_in: early.check_in, check_out: late.check_out };
    assert_eq!(reserved(&world, hotel, &whole).await, [100, 100, 100, 100, 200, 200, 200, 100, 100, 100, 100]);
}

#[tokio::test(flavor = "multi_thread")]
async fn hundred_concurrent_retries_return_the_same_reservation() {
    let world = World::shared().await;
    let hotel = world.hotel(10).await;
    let guest = world.guest().await;
    let caller = Caller::new(&world, &guest).await;
    let stay = Stay::ahead(40, 2);
    let form = order(&world.prepare(&guest, hotel, &stay, 1).await);
    let answers = join_all((0..100).map(|_| caller.book(&form))).await;
    let first = answers[0].as_ref().expect("booked").clone();
    for answer in answers {
        assert_eq!(answer.expect("the same answer"), first);
    }
    assert_eq!(reserved(&world, hotel, &stay).await, [1, 1]);
    assert_eq!(active(&world, hotel).await, 1);

    let mut other = form.clone();
    other.primary_guest = Some(Guest { full_name: "Another".into(), email: "guest@staymesh.example".into() });
    assert_eq!(reason(&caller.book(&other).await.expect_err("other content")), "RESERVATION_ID_REUSED");
    let cross = world.prepare(&guest, hotel, &stay, 2).await;
    let mixed = CreateReservationRequest { offer_token: order(&cross).offer_token, ..form };
    assert_eq!(reason(&caller.book(&mixed).await.expect_err("another offer")), "OFFER_TAMPERED");
}
