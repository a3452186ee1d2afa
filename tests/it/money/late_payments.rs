//! Late payments, which arrive after the reservation has ended: the rooms are retaken if they are free, otherwise the
//! payment is refunded; never both.

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use staymesh_devenv::Signal;
use staymesh_domain::{HotelTime, parse_date};

use super::Sale;
use crate::support::{
    Books, GOOD_CARD, PrivateMesh, Provider, Rest, Stay, World, assert_no_dead_letters, await_payment, operate,
};

/// Long enough to open a checkout page on a busy machine.
const HOLD: &str = "10s";

/// Books as a partner-collected sale, so that the rooms are taken at once. The sale is decided as soon as the payment
/// service answers.
pub(super) async fn sell_to_a_partner(world: &World<'_>, partner: &Rest, sale: &Sale) {
    let mut order = world.prepare(partner, sale.hotel, &sale.stay, 1).await;
    order["payment_mode"] = json!("PAYMENT_MODE_PARTNER_COLLECTS");
    partner.post("/v1/reservations", order).await.ok();
}

async fn await_expired(world: &World<'_>, sale: &Sale) {
    let ended = sale.await_status(world, "CANCELLED").await;
    assert_eq!(ended["cancellation_reason"], "CANCELLATION_REASON_HOLD_EXPIRED");
    assert_eq!(sale.rooms_taken(world).await, [0; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_payment_retakes_free_rooms_or_is_refunded() {
    let mesh = PrivateMesh::start(vec![("reservation", "STAYMESH_HOLD", HOLD.to_owned())]).await;
    let world = World::on(&mesh).await;
    let provider = Provider::of(&mesh).await;
    let partner = world.partner().await;
    let hotels = join_all((0..4).map(|_| world.hotel(1))).await;
    let sales = join_all(hotels.into_iter().map(|hotel| Sale::open_at(&world, hotel, Stay::ahead(30, 3)))).await;
    let [paid_in_time, sold_again, paid_at_last, cancelled] = &sales[..] else { unreachable!("four sales") };

    // While the payment service is frozen, guests pay and no event is processed.
    operate(&mesh, |local| local.service("payment")?.signal(Signal::STOP));
    assert_eq!(cancelled.cancel().await["cancellation_reason"], "CANCELLATION_REASON_REQUESTED");
    for sale in [paid_in_time, sold_again, cancelled] {
        assert_eq!(provider.use_card(&sale.payment, GOOD_CARD).await, 200);
    }
    for sale in [paid_in_time, sold_again, paid_at_last] {
        await_expired(&world, sale).await;
    }
    sell_to_a_partner(&world, &partner, sold_again).await;
    operate(&mesh, |local| local.service("payment")?.signal(Signal::CONT));

    // The rooms were still free: the reservation is paid, and no refund follows.
    paid_in_time.await_status(&world, "PAID").await;
    // The rooms are sold, or the guest has cancelled: the whole amount is refunded.
    for sale in [sold_again, cancelled] {
        sale.await_status(&world, "REFUNDED").await;
    }
    // The checkout page expired unpaid; later the provider reports that it charged the card.
    await_payment(&paid_at_last.guest, &paid_at_last.payment, "EXPIRED").await;
    let event = provider.event("checkout.paid", &paid_at_last.payment).await;
    provider.tell(&event).await.ok();
    paid_at_last.await_status(&world, "PAID").await;

    for (sale, status, refunded, rooms) in [
        (paid_in_time, "PAID", 0, 1),
        (sold_again, "REFUNDED", 30_000, 1),
        (paid_at_last, "PAID", 0, 1),
        (cancelled, "REFUNDED", 30_000, 0),
    ] {
        sale.await_all_delivered(&world).await;
        // The provider's own event arrives late, and twice.
        let late = provider.event("checkout.paid", &sale.payment).await;
        for _ in 0..2 {
            provider.tell(&late).await.ok();
        }
        sale.await_all_delivered(&world).await;
        let row = provider.row(&sale.payment).await;
        let outcome = (row.status.as_str(), row.refund_requested_minor, row.refunded_minor);
        assert_eq!(outcome, (status, refunded, refunded), "{}", sale.reservation_id);
        assert_eq!(sale.status().await, status);
        assert_eq!(sale.rooms_taken(&world).await, [rooms; 3]);
    }

    // A reservation that retook its rooms is cancelled like any other.
    paid_in_time.cancel().await;
    paid_in_time.await_status(&world, "REFUNDED").await;
    let books = Books::of(&mesh).await;
    let history = books.history(&paid_in_time.reservation_id).await;
    assert_eq!(history, ["pending_payment", "cancelled", "paid", "cancelled", "refunded"]);
    books.assert_balanced().await;
    assert_no_dead_letters(&mesh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payment_after_check_in_has_ended_at_the_hotel_is_refunded_in_full() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let hotel = world.hotel(1).await;
    let path = format!("/v1/hotels/{}?update_mask=timeZone", hotel.hotel_id);
    let stay = Stay::begun(1);
    let check_in = parse_date(&stay.check_in).expect("a date");
    // The page opens while check-in is possible at the hotel, in the last zone on earth. In Kiribati, the first one, it has
    // ended already.
    let sale = Sale::open_at(&world, hotel, stay).await;
    world.admin.put(&path, json!({ "time_zone": "Pacific/Kiritimati" })).await.ok();
    let kiribati = HotelTime::parse("Pacific/Kiritimati", "15:00", "00:00").expect("a calendar");
    let has_ended = kiribati.day_ends(check_in).expect("a time") <= Timestamp::now();
    assert_eq!(provider.use_card(&sale.payment, GOOD_CARD).await, 200);
    if !has_ended {
        sale.await_status(&world, "PAID").await;
        return;
    }
    sale.await_status(&world, "REFUNDED").await;
    sale.await_all_delivered(&world).await;
    let row = provider.row(&sale.payment).await;
    assert_eq!((row.status.as_str(), row.refunded_minor), ("REFUNDED", 10_000));
    assert_eq!(sale.rooms_taken(&world).await, [0]);
}
