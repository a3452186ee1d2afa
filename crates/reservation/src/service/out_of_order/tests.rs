//! Blocks of rooms, with mocked clients and a real database.

use staymesh_domain::{DateRange, RoomId};

use super::*;
use crate::{
    clients::MockRateClient,
    service::testing::{hotel_in, id, service},
    store::OutOfOrderKind,
};

fn block(nights: DateRange) -> NewOutOfOrder {
    NewOutOfOrder {
        id: Uuid::from_u128(1),
        room_id: RoomId::try_from(204).expect("an id"),
        nights,
        kind: OutOfOrderKind::OutOfOrder,
        reason: "leak".into(),
        force: false,
    }
}

fn reason<T: std::fmt::Debug>(refused: Result<T, ReservationError>) -> Reason {
    Problem::from(refused.expect_err("refused")).reason()
}

#[tokio::test]
async fn repeated_block_is_the_first_one_and_its_room_is_looked_up_once() {
    let mut hotels = hotel_in("Europe/Lisbon");
    hotels.expect_room_type_of().times(1).returning(|_, _| Ok(id(1)));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let (hotel, now) = (request.hotel_id, Timestamp::now());
    let nights = DateRange::new(request.stay.check_in(), request.stay.check_out()).expect("a range");
    let first = service.create_out_of_order(hotel, block(nights), now).await.expect("created");
    assert_eq!((first.room_type_id, first.end), (id(1), None));
    let ended = service.end_out_of_order(hotel, first.id, None, now).await.expect("ended");
    assert_eq!(ended.end, Some(first.from), "it never began");
    // Also when its first day is over.
    let much_later = "2200-01-01T00:00:00Z".parse().expect("a time");
    let repeated = service.create_out_of_order(hotel, block(nights), much_later).await.expect("repeated");
    assert_eq!(repeated, ended);
    for other in [
        NewOutOfOrder { reason: "paint".into(), ..block(nights) },
        NewOutOfOrder { kind: OutOfOrderKind::OutOfService, ..block(nights) },
        NewOutOfOrder { room_id: RoomId::try_from(205).expect("an id"), ..block(nights) },
    ] {
        assert_eq!(reason(service.create_out_of_order(hotel, other, now).await), Reason::RequestIdReused);
    }
    let elsewhere = HotelId::try_from(8).expect("an id");
    assert_eq!(reason(service.create_out_of_order(elsewhere, block(nights), now).await), Reason::RequestIdReused);
    assert_eq!(reason(service.end_out_of_order(elsewhere, first.id, None, now).await), Reason::OutOfOrderNotFound);
}

#[tokio::test]
async fn past_block_past_end_unknown_room_and_unknown_block_are_refused() {
    let mut hotels = hotel_in("Europe/Lisbon");
    hotels.expect_room_type_of().returning(|_, _| Err(Problem::new(Reason::RoomNotFound, "no")));
    let (service, request, _database) = service(hotels, MockRateClient::new()).await;
    let (hotel, now) = (request.hotel_id, Timestamp::now());
    let past = DateRange::parse("2020-01-01", "2020-01-02").expect("a range");
    let refused = service.create_out_of_order(hotel, block(past), now).await;
    assert!(matches!(refused, Err(ReservationError::Field(field)) if field.field == "out_of_order.from_date"));
    let end = service.end_out_of_order(hotel, Uuid::from_u128(1), Some(past.from()), now).await;
    assert!(matches!(end, Err(ReservationError::Field(field)) if field.field == "end_date"));
    let nights = DateRange::new(request.stay.check_in(), request.stay.check_out()).expect("a range");
    assert_eq!(reason(service.create_out_of_order(hotel, block(nights), now).await), Reason::RoomNotFound);
    let unknown = service.end_out_of_order(hotel, Uuid::from_u128(1), None, now).await;
    assert_eq!(reason(unknown), Reason::OutOfOrderNotFound);
}
