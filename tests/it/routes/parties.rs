//! Who sleeps in a room, from the hotel's content to availability, offers and order forms: PARTNER-SPEC 1, rules 1 to 7.

use serde_json::{Value, json};

use crate::support::{HotelFixture, Stay, World, policy};

/// A hotel with bands INFANT 0-2 and CHILD 3-11, and a family room with a price and five rooms on sale: base 2, at most 4,
/// of them 3 adults, 2 places for children, 1 cot.
async fn family_hotel(world: &World<'_>) -> (HotelFixture, HotelFixture) {
    let hotel = world.hotel(5).await;
    let bands = json!([
        { "code": "INFANT", "min_age": 0, "max_age": 2 },
        { "code": "CHILD", "min_age": 3, "max_age": 11 },
    ]);
    set_hotel(world, hotel, "age_bands", bands).await;
    let family = json!({
        "display_name": "Family", "beds": [{ "kind": "BED_KIND_KING", "count": 1 }], "base_occupancy": 2,
        "max_occupancy": 4, "max_adults": 3, "max_children": 2, "max_infants": 1, "max_extra_beds": 2,
    });
    let made = world.admin.post(&format!("/v1/hotels/{}/roomTypes", hotel.hotel_id), family).await.ok();
    let family = HotelFixture { room_type_id: made["room_type_id"].as_i64().expect("an id"), ..hotel };
    let rate = json!({
        "base_price": { "currency_code": "EUR", "amount": "200.00" },
        "cancellation_policy": policy(0, 0),
    });
    world.admin.put(&family.path("rate"), rate).await.ok();
    world.set_inventory(family, 0, 40, 5).await;
    (hotel, family)
}

async fn set_hotel(world: &World<'_>, hotel: HotelFixture, field: &str, value: Value) {
    let path = format!("/v1/hotels/{}?update_mask={field}", hotel.hotel_id);
    world.admin.put(&path, json!({ field: value })).await.ok();
}

/// What a hotel answers to a search for these parties, one for each room.
async fn search(world: &World<'_>, hotel: HotelFixture, what: &str, parties: &[&str]) -> Value {
    let Stay { check_in, check_out } = Stay::ahead(30, 2);
    let rooms = parties.join("&occupancies=");
    let path =
        format!("/v1/hotels/{}/{what}?check_in={check_in}&check_out={check_out}&occupancies={rooms}", hotel.hotel_id);
    world.public.get(&path).await.ok()
}

/// The row of a room type in a list; null if it has none.
fn of(list: &Value, room_type: HotelFixture) -> Value {
    let rows = list.as_array().expect("a list");
    rows.iter().find(|row| row["room_type_id"] == room_type.room_type_id).cloned().unwrap_or_default()
}

/// The reasons with which parties do not fit a room type.
fn reasons(row: &Value) -> Vec<&str> {
    row["misfits"].as_array().into_iter().flatten().map(|misfit| misfit["reason"].as_str().expect("a text")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn party_is_offered_a_room_exactly_if_it_fits() {
    let world = World::shared().await;
    let (_, family) = family_hotel(&world).await;
    let too_many = ["TOO_MANY_ADULTS", "TOO_MANY_CHILDREN", "TOO_MANY_GUESTS"];
    let examples: [(&str, &[&str]); 9] = [
        ("2-5,9", &[]),
        ("3-5,1", &[]),
        ("3-5,9", &too_many[2..]),
        ("2-1,2", &[]),
        ("1-4,6,8", &[]),
        ("4", &too_many[..1]),
        ("2-12", &[]),
        ("3-12", &too_many[..1]),
        ("2-4,5,6,7", &too_many[1..]),
    ];
    for (party, expected) in examples {
        let offers = search(&world, family, "offers", &[party]).await;
        let (offer, unsuitable) = (of(&offers["offers"], family), of(&offers["unsuitable"], family));
        assert_eq!(offer.is_null(), !expected.is_empty(), "{party}: {offers}");
        assert_eq!(reasons(&unsuitable), expected, "{party}: {offers}");
        if expected.is_empty() {
            assert_eq!(offer["children_priced_as_adults"], false, "{offers}");
        }
        let left = search(&world, family, "availability", &[party]).await;
        let left = of(&left["room_types"], family);
        assert_eq!((&left["available"], &left["rooms_left"]), (&json!(expected.is_empty()), &json!(5)), "{party}");
        assert_eq!(reasons(&left), expected, "{party}: {left}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_room_of_an_offer_has_its_own_party() {
    let world = World::shared().await;
    let (hotel, family) = family_hotel(&world).await;
    let offers = search(&world, family, "offers", &["3-5,1", "2"]).await;
    let offer = of(&offers["offers"], family);
    assert_eq!(offer["price"]["total"]["amount"], "800.00", "two rooms for two nights: {offers}");
    // The double room of the hotel has no place for the children of the first room.
    let misfits = json!([
        { "room": 0, "reason": "TOO_MANY_ADULTS", "actual": 3, "limit": 2 },
        { "room": 0, "reason": "TOO_MANY_CHILDREN", "actual": 2, "limit": 0 },
        { "room": 0, "reason": "TOO_MANY_GUESTS", "actual": 5, "limit": 2 },
    ]);
    let double = json!({ "room_type_id": hotel.room_type_id, "display_name": "Double", "misfits": misfits });
    assert_eq!(offers["unsuitable"], json!([double]));
    // As many guests as two rooms sleep, but not in two rooms: the sum would not notice.
    let offers = search(&world, family, "offers", &["3", "1"]).await;
    assert_eq!(of(&offers["unsuitable"], hotel)["misfits"][0]["room"], 0, "{offers}");
    assert!(!of(&offers["offers"], family).is_null(), "{offers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn child_below_minimum_age_gets_no_offer_and_misfit_has_limit() {
    let world = World::shared().await;
    let (hotel, family) = family_hotel(&world).await;
    set_hotel(&world, hotel, "min_child_age", json!(6)).await;
    let offers = search(&world, hotel, "offers", &["2", "1-5,9"]).await;
    assert_eq!(offers["offers"], json!([]), "{offers}");
    let too_young = json!({ "room": 1, "reason": "CHILD_TOO_YOUNG", "actual": 5, "limit": 6 });
    for room_type in [hotel, family] {
        assert_eq!(of(&offers["unsuitable"], room_type)["misfits"][0], too_young, "{offers}");
    }
    let offers = search(&world, hotel, "offers", &["2", "1-6,9"]).await;
    assert!(!of(&offers["offers"], family).is_null(), "{offers}");
    set_hotel(&world, hotel, "min_child_age", json!(18)).await;
    let left = search(&world, hotel, "availability", &["1-17"]).await;
    assert_eq!(reasons(&of(&left["room_types"], family)), ["CHILD_TOO_YOUNG"], "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hotel_without_age_bands_counts_children_as_adults_and_flags_offer() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let offers = search(&world, hotel, "offers", &["1-3"]).await;
    assert_eq!(of(&offers["offers"], hotel)["children_priced_as_adults"], true, "{offers}");
    let offers = search(&world, hotel, "offers", &["2"]).await;
    assert_eq!(of(&offers["offers"], hotel)["children_priced_as_adults"], false, "{offers}");
    let offers = search(&world, hotel, "offers", &["2-3"]).await;
    assert_eq!(reasons(&of(&offers["unsuitable"], hotel)), ["TOO_MANY_ADULTS", "TOO_MANY_GUESTS"], "{offers}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lower_occupancy_changes_offers_at_once_and_no_booking() {
    let world = World::shared().await;
    let hotel = world.hotel(5).await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 2);
    let wish = json!({
        "hotel_id": hotel.hotel_id, "check_in": stay.check_in, "check_out": stay.check_out,
        "rooms": [{ "room_type_id": hotel.room_type_id, "adults": 2 }],
    });
    let order = async || {
        let form = guest.post("/v1/reservations:prepare", wish.clone()).await.ok();
        json!({
            "reservation_id": form["reservation_id"], "offer_token": form["offer_token"],
            "primary_guest": { "full_name": "A guest", "email": "guest@staymesh.example" },
        })
    };
    let booked = guest.post("/v1/reservations", order().await).await.ok();
    let signed = order().await;
    let single = json!({ "max_occupancy": 1, "max_adults": 1, "base_occupancy": 1 });
    let path = format!("/v1/hotels/{}/roomTypes/{}", hotel.hotel_id, hotel.room_type_id);
    let mask = "max_occupancy,max_adults,base_occupancy";
    world.admin.put(&format!("{path}?update_mask={mask}"), single).await.ok();

    let offers = search(&world, hotel, "offers", &["2"]).await;
    assert_eq!(offers["offers"], json!([]), "{offers}");
    let refused = guest.post("/v1/reservations:prepare", wish.clone()).await.refused(400, "TOO_MANY_ADULTS");
    let metadata = &refused.detail("ErrorInfo")["metadata"];
    assert_eq!(
        (&metadata["room"], &metadata["adults"], &metadata["max_adults"]),
        (&json!("0"), &json!("2"), &json!("1"))
    );
    guest.post("/v1/reservations", signed).await.ok();
    let id = booked["reservation_id"].as_str().expect("an id");
    assert_eq!(guest.get(&format!("/v1/reservations/{id}")).await.ok()["rooms"][0]["adults"], 2);
}
