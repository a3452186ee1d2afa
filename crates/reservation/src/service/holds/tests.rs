//! Expired holds that are resumed, with mocked clients and a real database.

use std::collections::HashMap;

use staymesh_mesh::Reason;
use tonic_types::StatusExt;

use super::*;
use crate::{
    clients::MockRateClient,
    model::NewReservation,
    quote::tests::quote,
    service::testing::{hotel_in, id, price, room_type, service},
    testing::{hotel_id, lines, order_of},
    writer::book_each,
};

fn caller() -> Caller {
    let subject = "client:acme".into();
    Caller { subject, role: Role::Partner, hotel_ids: vec![], email_verified: false, session: "s".into() }
}

/// The metadata of the refusal to resume an expired hold of rooms at 100.00, of which five are for sale.
async fn resumed(rooms: i32, price_now: i64) -> (BookingService, HashMap<String, String>) {
    let mut hotels = hotel_in("Etc/UTC");
    hotels.expect_room_type().returning(|_, room_type_id| Ok(room_type(room_type_id.get(), 2)));
    hotels.expect_room_types().returning(|_| Ok(vec![room_type(1, 2)]));
    let mut rates = MockRateClient::new();
    rates
        .expect_price()
        .returning(move |_, _, _, demand| Ok(demand.iter().map(|of| price(of.room_type_id, price_now)).collect()));
    let (service, request, _database) = service(hotels, rates).await;
    let now = Timestamp::now();
    let order = NewReservation {
        id: ReservationId::generate(hotel_id(7), now),
        owner: caller().subject,
        hold_expire_time: Some(now - SignedDuration::from_secs(1)),
        ..order_of((0..rooms).flat_map(|_| lines(id(1), request.stay, 1, &quote(10_000))).collect(), now)
    };
    let made = book_each(&service.store, std::slice::from_ref(&order)).await.expect("decided").pop();
    made.expect("an outcome").expect("booked");
    let refused = service.resume(&caller(), order.id, PaymentMode::GuestPays, now).await.expect_err("expired");
    let status = tonic::Status::from(refused);
    let info = status.get_details_error_info().expect("a reason");
    assert_eq!(info.reason, Reason::HoldExpired.as_str());
    (service, info.metadata)
}

#[tokio::test]
async fn resume_of_an_expired_hold_offers_the_rooms_anew_if_they_are_left() {
    for (price_now, check) in [(10_000, "UNCHANGED"), (12_000, "CHANGED")] {
        let (service, metadata) = resumed(2, price_now).await;
        assert_eq!(metadata["check"], check);
        let offer = service.offers.verify(&metadata["offer_token"]).expect("ours");
        assert_eq!(
            (offer.reservation_id.to_string(), offer.owner),
            (metadata["reservation_id"].clone(), caller().subject)
        );
        let total = format!("{}.00", price_now * 2 / 100);
        assert_eq!((&metadata["total_amount"], &*metadata["total_currency"]), (&total, "EUR"));
    }
}

#[tokio::test]
async fn resume_of_an_expired_hold_says_that_the_rooms_are_gone() {
    // The hold still has its rooms until they are released: five are not left a second time.
    let (_, metadata) = resumed(3, 10_000).await;
    let shown = ["check", "check_reason", "rooms_left"].map(|key| metadata[key].as_str());
    assert_eq!(shown, ["SOLD_OUT", "ROOM_SOLD_OUT", "2"]);
    assert!(!metadata.contains_key("offer_token"));
}
