//! Group blocks through the rules, with mocked clients and a real database.

use jiff::{SignedDuration, ToSpan, civil::time};
use staymesh_domain::ReservationId;
use staymesh_mesh::{Caller, auth::Role};
use staymesh_testkit::TestDatabase;

use super::*;
use crate::{
    block_status::BlockStatus,
    clients::MockRateClient,
    model::{Guest, PaymentMode, Status},
    service::{
        BookingRequest, CheckResult, OfferCheck, RoomsRequest, StayRequest,
        testing::{hotel_in, id, price, room_type, rooms, service},
    },
};

const BLOCK: Uuid = Uuid::from_u128(1);

/// A hotel in Lisbon with room types 1 to 3, five rooms each of 1 and 2, and a request for one night.
async fn hotel() -> (BookingService, StayRequest, TestDatabase) {
    let mut hotels = hotel_in("Europe/Lisbon");
    hotels.expect_room_types().returning(|_| Ok((1..=3).map(|of| room_type(of, 2)).collect()));
    hotels.expect_room_type().returning(|_, room_type_id| match room_type_id.get() {
        1..=3 => Ok(room_type(room_type_id.get(), 2)),
        _ => Err(Problem::new(Reason::RoomTypeNotFound, "no such room type")),
    });
    let mut rates = MockRateClient::new();
    rates
        .expect_price()
        .returning(|_, _, _, demand| Ok(demand.iter().map(|of| price(of.room_type_id, 9_000)).collect()));
    service(hotels, rates).await
}

fn caller() -> Caller {
    let subject = "client:acme".into();
    Caller { subject, role: Role::Partner, hotel_ids: vec![], email_verified: false, session: "s".into() }
}

/// A definite block of rooms of type 1 in the night of the request, until 18:00 of the day before.
fn block(request: &StayRequest, room_count: i32) -> NewGroupBlock {
    NewGroupBlock {
        id: BLOCK,
        code: "FAIR-27".into(),
        display_name: "A fair".into(),
        status: BlockStatus::Definite,
        cutoff_date: request.stay.check_in().saturating_sub(1.days()),
        cutoff_time: "18:00".into(),
        rooms: RoomNights::from([((id(1), request.stay.check_in()), room_count)]),
        content_hash: [1; 32],
    }
}

fn with_code(request: &StayRequest, code: &str) -> RoomsRequest {
    let group_block = Some(GroupBlockKey::Code(code.into()));
    RoomsRequest { group_block, ..rooms(request, &[(1, 2), (1, 1)]) }
}

fn order(offer_token: &str, reservation_id: ReservationId) -> BookingRequest {
    BookingRequest {
        reservation_id,
        offer_token: offer_token.into(),
        guest: Guest { full_name: "A guest".into(), email: "guest@example.com".into() },
        payment_mode: PaymentMode::GuestPays,
        client_reference: None,
        hold: None,
        room_guests: vec![],
        source: None,
    }
}

fn reason<T>(refused: Result<T, ReservationError>) -> Reason {
    Problem::from(refused.map(drop).expect_err("refused")).reason()
}

#[tokio::test]
async fn rooms_of_a_sold_out_night_are_booked_with_the_code_of_their_block() {
    let (service, request, database) = hotel().await;
    let now = Timestamp::now();
    service.create_group_block(request.hotel_id, block(&request, 5), now).await.expect("all five");
    let without = service.prepare(&caller(), rooms(&request, &[(1, 1)]), now).await;
    assert_eq!(reason(without), Reason::RoomSoldOut);
    let unknown = service.prepare(&caller(), with_code(&request, "OTHER"), now).await;
    assert_eq!(reason(unknown), Reason::BlockNotFound);

    let form = service.prepare(&caller(), with_code(&request, "FAIR-27"), now).await.expect("a form");
    let create = async || service.create(&caller(), order(&form.token, form.offer.reservation_id), now).await;
    let booked = create().await.expect("booked");
    assert_eq!((booked.status, booked.lines.len()), (Status::PendingPayment, 2));
    assert_eq!(create().await.expect("a repeat").id, booked.id);
    let reserved: i32 = sqlx::query_scalar("select total_reserved from room_type_inventory where room_type_id = 1")
        .fetch_one(database.pool())
        .await
        .expect("a night");
    assert_eq!(reserved, 5);
    let (after, reservations) = service.group_block(request.hotel_id, BLOCK).await.expect("a block");
    assert_eq!(after.nights[&(id(1), request.stay.check_in())].picked_up, 2);
    assert_eq!(reservations, [booked.id.as_uuid()]);
}

/// PARTNER-SPEC 7, example 5, by the hotel's clocks.
#[tokio::test]
async fn offer_of_a_block_is_refused_from_the_cut_off_at_the_hotel_on() {
    let (service, request, _database) = hotel().await;
    let now = Timestamp::now();
    let created = service.create_group_block(request.hotel_id, block(&request, 5), now).await.expect("all five");
    let lisbon = HotelTime::parse("Europe/Lisbon", "15:00", "00:00").expect("a calendar");
    let cutoff = created.cutoff_date.to_datetime(time(18, 0, 0, 0));
    assert_eq!(Ok(created.cutoff), lisbon.instant(cutoff));

    let before = created.cutoff - SignedDuration::from_secs(1);
    let form = service.prepare(&caller(), with_code(&request, "FAIR-27"), before).await.expect("a form");
    let checked = service.check_offers(&caller(), std::slice::from_ref(&form.token), before).await.expect("checked");
    let OfferCheck::Read(read) = &checked[0] else { panic!("the caller's") };
    let CheckResult::Available(fresh, _) = &read.result else { panic!("rooms are left in the block") };
    assert_eq!(fresh.offer.group_block, Some(BLOCK));

    let after = created.cutoff + SignedDuration::from_secs(1);
    let late = service.create(&caller(), order(&form.token, form.offer.reservation_id), after).await;
    assert_eq!(reason(late), Reason::BlockReleased);
    assert_eq!(reason(service.prepare(&caller(), with_code(&request, "FAIR-27"), after).await), Reason::BlockReleased);
}

#[tokio::test]
async fn block_with_a_cut_off_out_of_time_or_a_room_type_of_another_hotel_is_refused() {
    let (service, request, _database) = hotel().await;
    let (now, hotel_id) = (Timestamp::now(), request.hotel_id);
    let field = async |new: NewGroupBlock| match service.create_group_block(hotel_id, new, now).await {
        Err(ReservationError::Field(error)) => error.field,
        other => panic!("{other:?}"),
    };
    let new = block(&request, 1);
    let past = NewGroupBlock { cutoff_date: new.cutoff_date.saturating_sub(60.days()), ..new.clone() };
    assert_eq!(field(past).await, "group_block.cutoff_date");
    let late = NewGroupBlock { cutoff_date: new.cutoff_date.saturating_add(2.days()), ..new.clone() };
    assert_eq!(field(late).await, "group_block.rooms");
    let night = request.stay.check_in();
    let unknown = NewGroupBlock { rooms: RoomNights::from([((id(4), night), 1)]), ..new.clone() };
    assert_eq!(reason(service.create_group_block(hotel_id, unknown, now).await), Reason::RoomTypeNotFound);

    service.create_group_block(hotel_id, new.clone(), now).await.expect("created");
    let other = NewGroupBlock { content_hash: [2; 32], ..new.clone() };
    assert_eq!(reason(service.create_group_block(hotel_id, other, now).await), Reason::RequestIdReused);
    let early = RoomNights::from([((id(1), new.cutoff_date.saturating_sub(1.days())), 1)]);
    assert_eq!(reason(service.resize_group_block(hotel_id, BLOCK, early, now).await), Reason::InvalidField);
}
