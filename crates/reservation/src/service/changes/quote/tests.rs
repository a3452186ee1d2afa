//! Quoting and applying changes through the rules, with mocked clients and a real database.

use jiff::{SignedDuration, ToSpan, civil::Date};
use staymesh_domain::{Occupancy, PaymentId, ReservationId};
use staymesh_mesh::{Reason, auth::Role};
use staymesh_store::outbox::Wake;
use tonic::Status;
use uuid::Uuid;

mod credit;
mod in_house;

use super::*;
use crate::{
    calendar::today,
    clients::{MockHotelClient, MockPaymentClient, RateClient, RoomTypeDemand, RoomTypeInfo, RoomTypePrice},
    lifecycle::Command,
    model::{NewReservation, PaymentMode},
    offer_token::{OfferError, OfferSigner},
    quote::{
        Night as PricedNight, TaxLine,
        tests::{euros, quote_for},
    },
    rooms_change::Reprice,
    service::{
        Dependencies, UnpaidLimits,
        changes::{DatesChange, RoomChangeRequest},
        testing::hotel_in,
    },
    testing::{World, hotel_id, order_of, room_type},
    writer::{Created, Writer, apply, book_each},
};

const HOTEL: i32 = 7;
/// Prices of today in euros, by night.
const TODAY: [i64; 6] = [110, 110, 130, 150, 90, 90];

fn first() -> Date {
    today(Timestamp::now()).saturating_add(60.days())
}

fn stay(from: i32, nights: i32) -> StayDates {
    let check_in = first().saturating_add(from.days());
    StayDates::new(check_in, check_in.saturating_add(nights.days())).expect("a stay")
}

/// Nights at these prices in euros with 10 % tax; half is kept within two days before arrival.
fn priced(stay: StayDates, prices: &[i64]) -> Quote {
    let subtotal = euros(prices.iter().sum::<i64>() * 100);
    let tax = subtotal.percent_basis_points(1_000).expect("a tax");
    let total = subtotal.checked_add(tax).expect("a total");
    let nights = stay.nights().zip(prices).map(|(date, price)| PricedNight { date, price: euros(price * 100) });
    let terms = quote_for(stay, total.minor(), 50).terms;
    Quote::new(nights.collect(), subtotal, vec![TaxLine { name: "VAT".into(), amount: tax }], total, terms)
}

/// A rate service with the prices [`TODAY`].
struct Today;

#[tonic::async_trait]
impl RateClient for Today {
    async fn price(
        &self,
        _: staymesh_domain::HotelId,
        stay: StayDates,
        _: HotelTime,
        demand: Vec<RoomTypeDemand>,
    ) -> Result<Vec<RoomTypePrice>, Problem> {
        let at = usize::try_from((stay.check_in() - first()).get_days()).expect("from the first night");
        let count = usize::try_from(stay.night_count()).expect("positive");
        let quote = priced(stay, &TODAY[at..at + count]);
        let price = |demand: RoomTypeDemand| RoomTypePrice { room_type_id: demand.room_type_id, quote: quote.clone() };
        Ok(demand.into_iter().map(price).collect())
    }
}

fn hotels() -> MockHotelClient {
    let mut hotels = hotel_in("Etc/UTC");
    hotels.expect_room_type().returning(|_, room_type_id| {
        let occupancy = Occupancy::of_adults(2);
        Ok(RoomTypeInfo { room_type_id, display_name: "a room".into(), occupancy })
    });
    hotels
}

/// A service with running lanes over a hotel of two rooms a night.
async fn service(payments: MockPaymentClient) -> (World, BookingService) {
    let world = World::new().await;
    world.sell(HOTEL, first(), 6, 2).await.expect("inventory");
    let (writer, lanes) = Writer::new(&world.store, 1);
    for lane in lanes {
        tokio::spawn(lane);
    }
    let key = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, [1; 32]);
    let service = BookingService::new(Dependencies {
        store: world.store.clone(),
        writer,
        hotels: Box::new(hotels()),
        rates: Box::new(Today),
        payments: std::sync::Arc::new(payments),
        offers: OfferSigner::new(&format!("k:{key}").parse().expect("keys")),
        hold: std::time::Duration::from_mins(15),
        unpaid: UnpaidLimits::unlimited(),
        long_holds: crate::config::LongHolds::default(),
        wake: Wake::default(),
    });
    (world, service)
}

fn caller(role: Role, subject: &str) -> Caller {
    let hotel_ids = if role == Role::Staff { vec![hotel_id(HOTEL)] } else { vec![] };
    Caller { subject: subject.to_owned(), role, hotel_ids, email_verified: true, session: "s".to_owned() }
}

/// A paid reservation of the first three nights at 100, 100 and 120 euros: 352.00 with tax.
async fn booked(world: &World, mode: PaymentMode, owner: &str) -> Reservation {
    let now = Timestamp::now();
    let stay = stay(0, 3);
    let party = "2".parse().expect("a party");
    let line = RoomLine {
        room_type_id: room_type(),
        stay,
        party,
        quote: priced(stay, &[100, 100, 120]),
        status: crate::room_status::RoomStatus::Live,
    };
    let order = order_of(vec![line], now);
    let order = NewReservation {
        id: ReservationId::generate(hotel_id(HOTEL), now),
        owner: owner.into(),
        payment_mode: mode,
        hold_expire_time: (mode == PaymentMode::GuestPays).then(|| now + SignedDuration::from_mins(15)),
        ..order
    };
    let outcome = book_each(&world.store, &[order]).await.expect("booked").pop().expect("an outcome").expect("rooms");
    let (Created::New(booking) | Created::Repeat(booking)) = outcome;
    if mode == PaymentMode::PartnerCollects {
        return booking;
    }
    let pay = Command::ConfirmPayment { payment_id: PaymentId::new(), amount: booking.first_total };
    apply(&world.store, booking.id, &pay, now).await.expect("paid").reservation
}

fn longer() -> ChangeRequest {
    let dates = DatesChange { check_in: None, check_out: Some(stay(0, 4).check_out()) };
    ChangeRequest {
        dates,
        rooms: vec![],
        dropped: BTreeSet::new(),
        reprice: Reprice::Changed,
        most_rooms: 9,
        by_staff: false,
    }
}

async fn quote(
    service: &BookingService,
    caller: &Caller,
    booking: &Reservation,
    request: &ChangeRequest,
) -> ChangeForm {
    service.quote_change(caller, booking.clone(), request, Timestamp::now()).await.expect("a quote")
}

/// PARTNER-SPEC 7, example 1.
#[tokio::test]
async fn one_more_night_is_due_at_todays_price_and_everything_if_staff_reprice() {
    let (world, service) = service(MockPaymentClient::new()).await;
    let guest = caller(Role::Guest, "me");
    let booking = booked(&world, PaymentMode::GuestPays, "me").await;
    assert_eq!(booking.first_total, euros(35_200));
    let form = quote(&service, &guest, &booking, &longer()).await;
    assert_eq!((form.sum.quote.total, form.quoted.change.balance), (euros(51_700), euros(16_500)));
    let all = ChangeRequest { reprice: Reprice::All, ..longer() };
    let form = quote(&service, &caller(Role::Staff, "staff"), &booking, &all).await;
    assert_eq!((form.sum.quote.total, form.quoted.change.balance), (euros(55_000), euros(19_800)));
}

#[tokio::test]
async fn applied_change_is_held_until_it_is_paid_and_a_repeat_gets_the_same_answer() {
    let (world, service) = service(MockPaymentClient::new()).await;
    let guest = caller(Role::Guest, "me");
    let booking = booked(&world, PaymentMode::GuestPays, "me").await;
    let form = quote(&service, &guest, &booking, &longer()).await;
    let (request_id, now) = (Uuid::new_v4(), Timestamp::now());
    let apply = async |token: &str, now| service.apply_change(&guest, booking.id, token, request_id, None, now).await;
    let held = apply(&form.token, now).await.expect("held");
    let pending = held.pending.clone().expect("a pending change");
    assert_eq!((held.revision, pending.revision, pending.change.balance), (1, 2, euros(16_500)));
    let late = form.quoted.expires;
    assert_eq!(apply(&form.token, late).await.expect("a repeat").pending, held.pending);
    let other = service.apply_change(&guest, booking.id, &form.token, Uuid::new_v4(), None, late).await;
    assert!(matches!(other, Err(ReservationError::Offer(OfferError::Expired))), "{other:?}");
    let (paid, refund) =
        service.confirm_change(booking.id, 2, (PaymentId::new(), euros(16_500)), now).await.expect("confirmed");
    assert_eq!((paid.revision, paid.quote.total, refund), (2, euros(51_700), false));
    let stale = service.apply_change(&guest, booking.id, &form.token, Uuid::new_v4(), None, now).await;
    assert!(matches!(stale, Err(ReservationError::RevisionMismatch { base: 1, current: 2 })), "{stale:?}");
    let stranger =
        service.apply_change(&caller(Role::Guest, "other"), booking.id, &form.token, request_id, None, now).await;
    assert!(matches!(stranger, Err(ReservationError::NotFound)), "{stranger:?}");
}

/// A token must not outlive what it says is kept.
#[tokio::test]
async fn change_token_ends_at_the_next_deadline() {
    let (world, service) = service(MockPaymentClient::new()).await;
    let guest = caller(Role::Guest, "me");
    let booking = booked(&world, PaymentMode::GuestPays, "me").await;
    let deadlines = room_line::deadlines(&booking.lines, &booking.quote.terms, booking.create_time).expect("deadlines");
    let next = deadlines.iter().find_map(|deadline| deadline.until).expect("a deadline");
    let expires = async |now| {
        service.quote_change(&guest, booking.clone(), &longer(), now).await.expect("a quote").quoted.expires
    };
    assert_eq!(expires(next - SignedDuration::from_mins(5)).await, next);
    assert_eq!(expires(next - SignedDuration::from_mins(20)).await, next - SignedDuration::from_mins(5));
    let after = next + SignedDuration::from_secs(1);
    assert_eq!(expires(after).await, after + SignedDuration::from_mins(15));
}

#[tokio::test]
async fn night_that_is_gone_is_refused_with_its_date_and_a_shorter_stay_is_refunded() {
    let (world, service) = service(MockPaymentClient::new()).await;
    let guest = caller(Role::Guest, "me");
    let booking = booked(&world, PaymentMode::GuestPays, "me").await;
    world.sell(HOTEL, first().saturating_add(3.days()), 1, 0).await.expect("no rooms");
    let refused = service.quote_change(&guest, booking.clone(), &longer(), Timestamp::now()).await;
    let Err(ReservationError::SoldOut { stay_date, .. }) = refused.map(|_| ()) else { panic!("sold out") };
    assert_eq!(stay_date, Some(stay(3, 1).check_in()));
    let shorter =
        ChangeRequest { dates: DatesChange { check_in: None, check_out: Some(stay(0, 2).check_out()) }, ..longer() };
    let form = quote(&service, &guest, &booking, &shorter).await;
    assert_eq!((form.quoted.change.balance, form.quoted.change.penalty), (euros(-13_200), euros(0)));
    let after = service.apply_change(&guest, booking.id, &form.token, Uuid::new_v4(), None, Timestamp::now()).await;
    let after = after.expect("applied");
    assert_eq!((after.revision, after.quote.total, after.pending), (2, euros(22_000), None));
}

#[tokio::test]
async fn rooms_are_added_with_the_next_position_and_wrong_fields_are_named() {
    let (world, service) = service(MockPaymentClient::new()).await;
    let guest = caller(Role::Guest, "me");
    let booking = booked(&world, PaymentMode::GuestPays, "me").await;
    let room = |position, party: Option<&str>| RoomChangeRequest {
        position,
        room_type_id: Some(room_type()),
        party: party.map(|party| party.parse().expect("a party")),
        dates: DatesChange::default(),
        moves: None,
    };
    let none = ChangeRequest { dates: DatesChange::default(), ..longer() };
    let added = ChangeRequest { rooms: vec![room(None, Some("1"))], ..none.clone() };
    let form = quote(&service, &guest, &booking, &added).await;
    assert_eq!(form.after.iter().map(|room| room.position).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(form.quoted.change.balance, euros(38_500), "110, 110 and 130 with tax");
    let fields = async |request: ChangeRequest| {
        let refused = service.quote_change(&guest, booking.clone(), &request, Timestamp::now()).await;
        let Err(ReservationError::Other(problem)) = refused.map(|_| ()) else { panic!("refused") };
        assert_eq!(problem.reason(), Reason::InvalidField);
        problem.to_string()
    };
    assert!(fields(none.clone()).await.contains("must differ"));
    let wrong = ChangeRequest { rooms: vec![room(Some(2), None), room(None, None)], ..none.clone() };
    let wrong = fields(wrong).await;
    assert!(wrong.contains("rooms[0].position") && wrong.contains("rooms[1].adults"), "{wrong}");
    // PARTNER-SPEC 7, edge case: a stay of no night is a cancellation.
    let no_night = DatesChange { check_in: None, check_out: Some(stay(0, 1).check_in()) };
    assert!(fields(ChangeRequest { dates: no_night, ..none.clone() }).await.contains("check_out"));
    let nothing = ChangeRequest { dropped: BTreeSet::from([1]), ..none };
    assert!(fields(nothing).await.contains("must leave a room"));
}
