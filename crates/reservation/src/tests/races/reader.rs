//! A reader that looks for half a booking: in each reservation, in a page of them, and in the rooms that are left.

use jiff::ToSpan;
use staymesh_api::reservation::v1 as proto;
use tokio_util::sync::CancellationToken;

use super::{
    date,
    mesh::{HOTEL, NIGHTS, Users},
};

/// Reads until `stop`; yields how often.
pub(super) async fn watch(users: Users, stop: CancellationToken) -> usize {
    let mut views = 0;
    while !stop.is_cancelled() {
        for booking in users.reservations().await {
            require_whole(&booking);
            let request = proto::GetReservationRequest { reservation_id: booking.reservation_id };
            require_whole(&users.staff.clone().get_reservation(request).await.expect("a reservation").into_inner());
        }
        require_pairs(&users, views % NIGHTS).await;
        views += 1;
    }
    views
}

/// Whether the room is part of the reservation.
pub(super) fn is_live(room: &proto::ReservationRoom) -> bool {
    room.status() == proto::ReservationRoomStatus::Live
}

/// The nights of a room.
pub(super) fn nights(room: &proto::ReservationRoom) -> Vec<String> {
    let day = |text: &str| text.parse::<jiff::civil::Date>().expect("a date");
    let (first, last) = (day(&room.check_in), day(&room.check_out));
    first.series(1.day()).take_while(|night| *night < last).map(|night| night.to_string()).collect()
}

/// Both paired rooms are there, for the same nights and with the same status; the reservation's dates and its price are those
/// of its rooms.
fn require_whole(booking: &proto::Reservation) {
    let of_type = |id| booking.rooms.iter().find(|room| room.room_type_id == id).expect("a paired room");
    let (one, other) = (of_type(1), of_type(2));
    assert_eq!(
        (&one.check_in, &one.check_out, one.status),
        (&other.check_in, &other.check_out, other.status),
        "{booking:?}"
    );
    let ended = !is_live(one);
    let rooms = || booking.rooms.iter().filter(|room| ended || is_live(room));
    if !ended {
        assert_eq!(rooms().map(|room| &room.check_in).min(), Some(&booking.check_in), "{booking:?}");
        assert_eq!(rooms().map(|room| &room.check_out).max(), Some(&booking.check_out), "{booking:?}");
        let total = |price: &Option<staymesh_api::rate::v1::StayPrice>| -> i64 {
            let amount = price.as_ref().and_then(|price| price.total.as_ref()).expect("a total").amount.clone();
            amount.replace('.', "").parse().expect("cents")
        };
        assert_eq!(rooms().map(|room| total(&room.price)).sum::<i64>(), total(&booking.price), "{booking:?}");
    }
}

/// As many rooms of both paired types are left in a night, because bookings, changes and their holds take both at once.
async fn require_pairs(users: &Users, night: usize) {
    let request = proto::GetAvailabilityRequest {
        hotel_id: HOTEL,
        check_in: date(night).to_string(),
        check_out: date(night + 1).to_string(),
        occupancies: vec!["1".into()],
        room_type_ids: vec![1, 2],
    };
    let left = users.guest.clone().get_availability(request).await.expect("availability").into_inner().room_types;
    let left: Vec<_> = left.iter().map(|room_type| (room_type.rooms_left, room_type.available)).collect();
    assert!(left.len() == 2 && left[0] == left[1] && left[0].0 >= 0, "night {night}: {left:?}");
}
