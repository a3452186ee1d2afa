//! Changes of stays whose guests are in the house (PARTNER-SPEC 7, edge cases, and 10, example 5).

use super::*;
use crate::{
    check,
    room_status::RoomStatus,
    room_step::RoomStep,
    service::{StepOrder, step_rooms},
};

/// The type of the better room.
fn suite() -> RoomTypeId {
    RoomTypeId::try_from(room_type().get() + 1).expect("an id")
}

/// A paid room of three nights at 100, 100 and 120 whose guests are in the house.
async fn in_house(world: &World) -> Reservation {
    let booking = booked(world, PaymentMode::GuestPays, "me").await;
    let check_in = booking.stay.check_in();
    step_rooms(&world.store, booking.id, StepOrder::all(RoomStep::CheckIn), check_in, "desk")
        .await
        .expect("checked in");
    world.store.get(booking.id).await.expect("read").expect("is there")
}

fn by_staff(request: ChangeRequest) -> ChangeRequest {
    ChangeRequest { by_staff: true, ..request }
}

async fn assert_clean(world: &World) {
    let report = check::run(world.pool(), &check::Options::default(), |_| {}).await.expect("checked");
    assert!(report.is_clean(), "{report:?}");
}

/// The stay has begun: the fourth night costs 165.00 with tax and is held until it is paid.
#[tokio::test]
async fn guests_in_the_house_stay_longer_at_the_price_of_today() {
    let (world, service) = service(MockPaymentClient::new()).await;
    let desk = caller(Role::Staff, "desk");
    let booking = in_house(&world).await;
    let refused = service.quote_change(&caller(Role::Guest, "me"), booking.clone(), &longer(), Timestamp::now()).await;
    assert!(matches!(refused.map(|_| ()), Err(ReservationError::CheckedIn)), "only staff may");
    let form = quote(&service, &desk, &booking, &by_staff(longer())).await;
    assert_eq!((form.quoted.change.balance, form.quoted.change.penalty), (euros(16_500), euros(0)));
    assert_eq!(form.sum.quote.total, euros(51_700));
    form.sum.quote.require_sums(staymesh_domain::RoomCount::ONE).expect("sums");
    let held = service.apply_change(&desk, booking.id, &form.token, Uuid::new_v4(), None, Timestamp::now()).await;
    let held = held.expect("held");
    assert!(held.pending.is_some());
    // Paid after the day of arrival has ended.
    let later = booking.quote.terms.cancel_before;
    let payment = (PaymentId::new(), euros(16_500));
    let (after, refund) = service.confirm_change(booking.id, 2, payment, later).await.expect("confirmed");
    assert_eq!(
        (refund, after.revision, after.stay, after.lines[0].status),
        (false, 2, stay(0, 4), RoomStatus::InHouse)
    );
    assert_clean(&world).await;
}

#[tokio::test]
async fn nothing_else_changes_for_guests_in_the_house() {
    let (world, service) = service(MockPaymentClient::new()).await;
    let desk = caller(Role::Staff, "desk");
    let booking = in_house(&world).await;
    let dates =
        |check_in, check_out| ChangeRequest { dates: DatesChange { check_in, check_out }, ..by_staff(longer()) };
    let party = RoomChangeRequest {
        position: Some(1),
        room_type_id: None,
        party: Some("1".parse().expect("a party")),
        dates: DatesChange::default(),
        moves: None,
    };
    let guests = ChangeRequest { rooms: vec![party], ..dates(None, None) };
    for request in [dates(None, Some(stay(0, 2).check_out())), dates(Some(stay(1, 1).check_in()), None), guests] {
        let refused = service.quote_change(&desk, booking.clone(), &request, Timestamp::now()).await.map(|_| ());
        assert!(matches!(refused, Err(ReservationError::CheckedIn)), "{refused:?}");
    }
}

/// PARTNER-SPEC 10, example 5, with the prices of this file: the nights left cost 110.00 and 132.00, the better room of today
/// 121.00 and 143.00 with tax: 22.00 are due.
#[tokio::test]
async fn guests_in_the_house_move_to_a_better_room_from_a_date_on() {
    let (world, service) = service(MockPaymentClient::new()).await;
    let inventory = crate::store::InventoryChange {
        room_type_id: suite(),
        nights: staymesh_domain::DateRange::new(first(), stay(0, 6).check_out()).expect("a range"),
        total_inventory: 1,
        overbooking_percent: None,
        for_future_nights: false,
        etag: String::new(),
    };
    world.store.set_inventory(hotel_id(HOTEL), &[inventory]).await.expect("inventory");
    let desk = caller(Role::Staff, "desk");
    let booking = in_house(&world).await;
    let to_suite = |moves| RoomChangeRequest {
        position: Some(1),
        room_type_id: Some(suite()),
        party: None,
        dates: DatesChange::default(),
        moves,
    };
    let request =
        |moves| ChangeRequest { dates: DatesChange::default(), rooms: vec![to_suite(moves)], ..by_staff(longer()) };
    let outside = service.quote_change(&desk, booking.clone(), &request(Some(first())), Timestamp::now()).await;
    let Err(ReservationError::Other(problem)) = outside.map(|_| ()) else { panic!("refused") };
    assert!(problem.to_string().contains("rooms[0].from_date"), "{problem}");
    let form = quote(&service, &desk, &booking, &request(Some(stay(1, 1).check_in()))).await;
    assert_eq!((form.quoted.change.balance, form.quoted.change.penalty), (euros(2_200), euros(0)));
    let shown: Vec<_> = form.after.iter().map(|room| (room.position, room.line.room_type_id, room.line.stay)).collect();
    assert_eq!(shown, [(1, room_type(), stay(0, 1)), (2, suite(), stay(1, 2))]);
    service.apply_change(&desk, booking.id, &form.token, Uuid::new_v4(), None, Timestamp::now()).await.expect("held");
    let reserved = async |room_type| {
        let nights = world.store.nights_left(hotel_id(HOTEL), stay(0, 3), &[room_type]).await.expect("nights");
        nights.iter().map(|night| night.total_reserved).collect::<Vec<_>>()
    };
    assert_eq!((reserved(room_type()).await, reserved(suite()).await), (vec![1, 1, 1], vec![0, 1, 1]), "held");
    let payment = (PaymentId::new(), euros(2_200));
    let (after, refund) = service.confirm_change(booking.id, 2, payment, Timestamp::now()).await.expect("confirmed");
    assert_eq!((reserved(room_type()).await, reserved(suite()).await), (vec![1, 0, 0], vec![0, 1, 1]));
    let statuses: Vec<_> = after.lines.iter().map(|line| line.status).collect();
    assert_eq!((refund, statuses), (false, vec![RoomStatus::InHouse, RoomStatus::Live]));
    assert_clean(&world).await;
}
