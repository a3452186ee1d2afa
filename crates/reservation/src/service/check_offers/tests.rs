//! Offer checks, with mocked clients and a real database.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{SignedDuration, ToSpan};
use staymesh_domain::{ReservationId, RoomTypeId, StayDates};
use staymesh_mesh::auth::Role;
use staymesh_testkit::TestDatabase;

use super::*;
use crate::{
    clients::MockRateClient,
    quote::tests::quote,
    service::testing::{hotel_in, price, room_type, service, staff},
    testing::{hotel_id, lines},
};

/// A hotel with five rooms for a night, and a rate service that can be told the price.
struct Shop {
    service: BookingService,
    stay: StayDates,
    price: Arc<AtomicI64>,
    database: TestDatabase,
}

/// A price for which the rate service is unavailable.
const UNAVAILABLE: i64 = -1;

async fn shop() -> Shop {
    let mut hotels = hotel_in("Etc/UTC");
    hotels.expect_room_type().returning(|_, room_type_id| Ok(room_type(room_type_id.get(), 2)));
    let types = [room_type(1, 2), room_type(2, 4), room_type(3, 2)];
    hotels.expect_room_types().returning(move |_| Ok(types.to_vec()));
    let told = Arc::new(AtomicI64::new(10_000));
    let (mut rates, minor) = (MockRateClient::new(), told.clone());
    rates.expect_price().returning(move |_, _, _, demand| match minor.load(Ordering::Relaxed) {
        UNAVAILABLE => Err(Problem::new(Reason::DependencyUnavailable, "gone")),
        minor => Ok(demand.iter().map(|of| price(of.room_type_id, minor)).collect()),
    });
    let (service, request, database) = service(hotels, rates).await;
    Shop { service, stay: request.stay, price: told, database }
}

fn caller() -> Caller {
    let subject = "client:acme".into();
    Caller { subject, role: Role::Partner, hotel_ids: vec![], email_verified: false, session: "s".into() }
}

impl Shop {
    /// The token of rooms at this price each, offered so many minutes ago.
    fn token(&self, owner: &str, stay: StayDates, prices: &[i64], minutes: i64) -> (ReservationId, String) {
        let then = Timestamp::now() - SignedDuration::from_mins(minutes);
        let id = ReservationId::generate(hotel_id(7), then);
        let room = RoomTypeId::try_from(1).expect("an id");
        let rooms = prices.iter().flat_map(|price| lines(room, stay, 1, &quote(*price))).collect();
        let offer = Offer::new(id, owner.into(), rooms, then);
        (id, self.service.offers.sign(&offer).expect("signed"))
    }

    async fn check(&self, tokens: &[&str]) -> Result<Vec<OfferCheck>, ReservationError> {
        let tokens: Vec<_> = tokens.iter().map(|&token| token.to_owned()).collect();
        self.service.check_offers(&caller(), &tokens, Timestamp::now()).await
    }
}

/// What is shown of a check: the changed rooms and their new total, or why not.
fn shown(check: &OfferCheck) -> String {
    match check {
        OfferCheck::Tampered => "tampered".into(),
        OfferCheck::Read(read) => match &read.result {
            CheckResult::Available(form, changed) => format!("{changed:?} {}", form.sum.quote.total.minor()),
            CheckResult::SoldOut(ReservationError::SoldOut { room, rooms_left, .. }, _) => {
                format!("room {:?}, {rooms_left:?} left", room.map(|room| room.index))
            }
            CheckResult::SoldOut(error, _) => error.to_string(),
            CheckResult::Restricted(error) => format!("restricted: {error}"),
            CheckResult::Invalid(reason) => reason.as_str().to_owned(),
        },
    }
}

#[tokio::test]
async fn each_token_is_checked_by_itself_and_a_bad_one_does_not_spoil_the_others() {
    let shop = shop().await;
    let past = StayDates::parse("2020-01-01", "2020-01-02").expect("a stay");
    let (id, valid) = shop.token("client:acme", shop.stay, &[10_000, 10_000], 0);
    let (_, expired) = shop.token("client:acme", shop.stay, &[10_000], 600);
    let (_, dearer) = shop.token("client:acme", shop.stay, &[10_000, 9_000], 0);
    let (_, cheaper) = shop.token("client:acme", shop.stay, &[11_000], 0);
    let (_, many) = shop.token("client:acme", shop.stay, &[10_000; 6], 0);
    let (_, foreign) = shop.token("client:other", shop.stay, &[10_000], 0);
    let (_, over) = shop.token("client:acme", past, &[10_000], 0);
    let tokens = [&*valid, "nonsense", &expired, &dearer, &cheaper, &many, &foreign, &over];
    let checks = shop.check(&tokens).await.expect("checked");
    let expected = [
        "[] 20000",
        "tampered",
        "[] 10000",
        "[1] 20000",
        "[0] 10000",
        "room Some(5), Some(5) left",
        "tampered",
        "INVALID_FIELD",
    ];
    assert_eq!(checks.iter().map(shown).collect::<Vec<_>>(), expected);

    let OfferCheck::Read(read) = &checks[0] else { panic!("the caller's") };
    let CheckResult::Available(form, _) = &read.result else { panic!("rooms are left") };
    let fresh = shop.service.offers.verify(&form.token).expect("ours");
    assert_eq!((fresh.reservation_id, &*fresh.owner), (id, "client:acme"), "the answer of a booking may be lost");
    assert_eq!(fresh.require_unexpired(Timestamp::now()), Ok(()));
    let held: i64 = sqlx::query_scalar("select sum(total_reserved)::bigint from room_type_inventory")
        .fetch_one(shop.database.pool())
        .await
        .expect("a sum");
    assert_eq!(held, 0);
}

#[tokio::test]
async fn room_without_inventory_is_not_for_sale_and_an_outage_fails_the_call() {
    let shop = shop().await;
    let later = StayDates::new(shop.stay.check_out(), shop.stay.check_out().saturating_add(1.days())).expect("a stay");
    let (_, unsold) = shop.token("client:acme", later, &[10_000], 0);
    let (_, valid) = shop.token("client:acme", shop.stay, &[10_000], 0);
    let checks = shop.check(&[&unsold, &valid]).await.expect("checked");
    assert_eq!(checks.iter().map(shown).collect::<Vec<_>>(), ["not for sale for this stay", "[] 10000"]);
    shop.price.store(UNAVAILABLE, Ordering::Relaxed);
    let Err(failed) = shop.check(&[&valid]).await else { panic!("no price") };
    assert_eq!(Problem::from(failed).reason(), Reason::DependencyUnavailable);
}

/// PARTNER-SPEC 7, rule 1: alternatives of a sold-out room, and the rule that refuses a closed night.
#[tokio::test]
async fn sold_out_room_has_alternatives_that_are_left_and_a_closed_night_is_restricted() {
    let shop = shop().await;
    let (_, many) = shop.token("client:acme", shop.stay, &[10_000; 6], 0);
    sqlx::query("update room_type_inventory set total_inventory = 9 where room_type_id = 2")
        .execute(shop.database.pool())
        .await
        .expect("more rooms");
    let checks = shop.check(&[&many]).await.expect("checked");
    let OfferCheck::Read(read) = &checks[0] else { panic!("the caller's") };
    let CheckResult::SoldOut(_, alternatives) = &read.result else { panic!("{}", shown(&checks[0])) };
    let left: Vec<_> =
        alternatives.lines.iter().map(|line| (line.room_type.room_type_id.get(), line.rooms_left)).collect();
    assert_eq!(left, [(2, 9)], "type 1 is short, and 3 is sold out");

    let (_, one) = shop.token("client:acme", shop.stay, &[10_000], 0);
    sqlx::query(
        "update room_type_inventory set stop_sell = true where room_type_id = 1 and stay_date = $1::text::date",
    )
    .bind(shop.stay.check_in().to_string())
    .execute(shop.database.pool())
    .await
    .expect("closed");
    let closed = shop.check(&[&one]).await.expect("checked");
    assert!(shown(&closed[0]).starts_with("restricted: "), "{}", shown(&closed[0]));
}

#[tokio::test]
async fn offer_of_staff_is_checked_by_any_staff_of_the_hotel_and_by_nobody_else() {
    let shop = shop().await;
    let (_, token) = shop.token("hotel:7", shop.stay, &[10_000], 0);
    let checked_by = async |caller: &Caller| {
        let tokens = std::slice::from_ref(&token);
        shown(&shop.service.check_offers(caller, tokens, Timestamp::now()).await.expect("checked")[0])
    };
    assert_eq!(checked_by(&staff(7)).await, "[] 10000");
    assert_eq!(checked_by(&staff(8)).await, "tampered");
    assert_eq!(checked_by(&caller()).await, "tampered");
}
