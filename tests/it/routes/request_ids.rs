//! Request ids (D5): a request id that is repeated with any other content is refused, for every method that takes one.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, Value as Proto};
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::with;
use crate::support::{Answer, HotelFixture, Stay, World, in_days};

/// Compared field by field in the crate of the payment service, which needs a payment or a debt for each:
/// `refund_request_id_is_compared_with_the_whole_request` and
/// `partner_payment_is_recorded_once_and_compared_with_the_whole_request`; and in that of the reservation service, which needs
/// a token: `second_change_of_one_revision_is_refused_and_a_repeat_of_the_first_is_not`, or guests in the house:
/// `nights_from_today_on_go_back_on_sale_and_one_is_kept`.
const TESTED_ELSEWHERE: [&str; 4] = ["ApplyChange", "DepartEarly", "RecordPartnerPayment", "RefundPayment"];

/// `REQUIRED` and `OUTPUT_ONLY` of `google.api.FieldBehavior`.
const REQUIRED: i32 = 2;
const OUTPUT_ONLY: i32 = 3;

/// A request, and another value for each of its fields.
struct Case {
    request: Value,
    changes: BTreeMap<&'static str, Value>,
    /// Whether a repeat gets the same answer, and not only the same effect.
    same_answer: bool,
}

impl Case {
    fn new<const N: usize>(request: Value, changes: [(&'static str, Value); N]) -> Self {
        Self { request, changes: BTreeMap::from(changes), same_answer: true }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_id_with_any_field_altered_is_refused_by_every_method() {
    let world = World::shared().await;
    let cases = cases(&world).await;
    let methods = methods_with_request_id();
    let known: BTreeSet<&str> = cases.keys().copied().chain(TESTED_ELSEWHERE).collect();
    assert_eq!(methods.keys().map(String::as_str).collect::<BTreeSet<_>>(), known, "add a case for the method");
    for (name, case) in cases {
        let method = &methods[name];
        let fields = fields(method);
        let changed: BTreeSet<&str> = case.changes.keys().copied().collect();
        assert_eq!(fields.keys().map(String::as_str).collect::<BTreeSet<_>>(), changed, "{name}");
        let request = with(&case.request, &json!({ "request_id": Uuid::new_v4() }));
        let first = send(&world, method, &request).await.ok();
        for (field, value) in &case.changes {
            let refused = send(&world, method, &altered(&request, field, value)).await;
            assert_eq!(refused.reason(), Some("REQUEST_ID_REUSED"), "{name} {field}: {}", refused.body);
            if !fields[*field] {
                let refused = send(&world, method, &altered(&request, field, &Value::Null)).await;
                assert_eq!(refused.reason(), Some("REQUEST_ID_REUSED"), "{name} without {field}: {}", refused.body);
            }
        }
        let again = send(&world, method, &request).await.ok();
        assert!(!case.same_answer || again == first, "{name}: {first} {again}");
    }
}

/// A reservation's own id is its idempotency key.
#[tokio::test(flavor = "multi_thread")]
async fn reservation_id_with_any_field_altered_is_refused() {
    let world = World::shared().await;
    let (hotel, partner, stay) = (world.hotel(5).await, world.partner().await, Stay::ahead(30, 2));
    let mode = json!({ "payment_mode": "PAYMENT_MODE_GUEST_PAYS" });
    let order = with(&world.prepare(&partner, hotel, &stay, 1).await, &mode);
    let other = world.prepare(&partner, hotel, &stay, 1).await;
    let booked = partner.post("/v1/reservations", order.clone()).await.ok();
    let changes = BTreeMap::from([
        ("reservation_id", (other["reservation_id"].clone(), "OFFER_TAMPERED")),
        ("offer_token", (other["offer_token"].clone(), "OFFER_TAMPERED")),
        ("primary_guest.full_name", (json!("Another guest"), "RESERVATION_ID_REUSED")),
        ("primary_guest.email", (json!("another@staymesh.example"), "RESERVATION_ID_REUSED")),
        ("payment_mode", (json!("PAYMENT_MODE_PARTNER_COLLECTS"), "RESERVATION_ID_REUSED")),
        ("client_reference", (json!("X-18"), "RESERVATION_ID_REUSED")),
        // This partner has no agreement on long holds.
        ("hold_minutes", (json!(20), "ACCESS_DENIED")),
        ("room_guests", (json!([{ "family_name": "Another" }]), "RESERVATION_ID_REUSED")),
    ]);
    let pool = DescriptorPool::decode(staymesh_api::DESCRIPTOR_SET).expect("the contract");
    let service = pool.get_service_by_name("staymesh.reservation.v1.ReservationService").expect("the service");
    let method = service.methods().find(|method| method.name() == "CreateReservation").expect("the method");
    assert!(fields(&method).keys().eq(changes.keys().copied()), "{:?}", fields(&method));
    for (field, (value, reason)) in &changes {
        let refused = partner.post("/v1/reservations", altered(&order, field, value)).await;
        assert_eq!(refused.reason(), Some(*reason), "{field}: {}", refused.body);
    }
    assert_eq!(partner.post("/v1/reservations", order).await.ok(), booked);
}

async fn cases(world: &World<'_>) -> BTreeMap<&'static str, Case> {
    let (hotel, other) = (world.hotel(1).await, world.hotel(1).await);
    let client = async || {
        let id = format!("partner-{}", Uuid::new_v4().simple());
        world.admin.post("/v1/clients", json!({ "client_id": id, "role": "ROLE_PARTNER" })).await.ok();
        id
    };
    let email = || format!("{}@staymesh.example", Uuid::new_v4().simple());
    let id = || format!("partner-{}", Uuid::new_v4().simple());
    BTreeMap::from([
        (
            "CreateUser",
            Case::new(
                json!({ "email": email(), "password": "correct horse 7", "display_name": "Ada", "language": "pt" }),
                [
                    ("email", json!(email())),
                    ("password", json!("correct horse 8")),
                    ("display_name", json!("Bea")),
                    ("language", json!("de")),
                ],
            ),
        ),
        (
            "CreateGuestSession",
            // New tokens of the same guest.
            Case {
                same_answer: false,
                ..Case::new(
                    json!({ "email": email(), "language": "pt" }),
                    [("email", json!(email())), ("language", json!("de"))],
                )
            },
        ),
        (
            "CreateClient",
            Case::new(
                json!({ "client_id": id(), "display_name": "A partner", "role": "ROLE_PARTNER" }),
                [("client_id", json!(id())), ("display_name", json!("Another")), ("role", json!("ROLE_SERVICE"))],
            ),
        ),
        (
            "RotateClientSecret",
            Case::new(
                json!({ "client_id": client().await, "overlap_seconds": 60 }),
                [("client_id", json!(client().await)), ("overlap_seconds", json!(61))],
            ),
        ),
        ("CreateHotel", hotel_case()),
        ("CreateRoomType", room_type_case(hotel.hotel_id, other.hotel_id)),
        (
            "CreateRoom",
            Case::new(
                json!({ "hotel_id": hotel.hotel_id, "room": {
                    "room_type_id": hotel.room_type_id, "room_number": "12", "floor": 1, "etag": "a",
                } }),
                [
                    ("hotel_id", json!(other.hotel_id)),
                    ("room.room_type_id", json!(other.room_type_id)),
                    ("room.room_number", json!("13")),
                    ("room.floor", json!(2)),
                    ("room.etag", json!("b")),
                ],
            ),
        ),
        ("CreateOutOfOrder", out_of_order_case(world, hotel, other).await),
        ("CreateGroupBlock", group_block_case(hotel, other)),
        ("CreateReservationNote", note_case(world, hotel).await),
    ])
}

fn group_block_case(hotel: HotelFixture, other: HotelFixture) -> Case {
    let rooms = |count: i32| {
        json!([{
            "room_type_id": hotel.room_type_id, "from_date": in_days(40), "until_date": in_days(42), "room_count": count,
        }])
    };
    Case::new(
        json!({ "hotel_id": hotel.hotel_id, "group_block": {
            "code": "FAIR-27", "display_name": "A fair", "status": "GROUP_BLOCK_STATUS_TENTATIVE",
            "cutoff_date": in_days(30), "cutoff_time_of_day": "17:00", "rooms": rooms(2),
        } }),
        [
            ("hotel_id", json!(other.hotel_id)),
            ("group_block.code", json!("FAIR-28")),
            ("group_block.display_name", json!("Another fair")),
            ("group_block.status", json!("GROUP_BLOCK_STATUS_DEFINITE")),
            ("group_block.cutoff_date", json!(in_days(31))),
            ("group_block.cutoff_time_of_day", json!("18:00")),
            ("group_block.rooms", rooms(3)),
        ],
    )
}

async fn out_of_order_case(world: &World<'_>, hotel: HotelFixture, other: HotelFixture) -> Case {
    let room = json!({ "room_type_id": hotel.room_type_id, "room_number": "204" });
    let room = world.admin.post(&format!("/v1/hotels/{}/rooms", hotel.hotel_id), room).await.ok();
    Case::new(
        json!({ "hotel_id": hotel.hotel_id, "out_of_order": {
            "room_id": room["room_id"], "from_date": in_days(40), "until_date": in_days(42),
            "kind": "OUT_OF_ORDER_KIND_OUT_OF_ORDER", "reason": "leak",
        }, "force": true }),
        [
            ("hotel_id", json!(other.hotel_id)),
            ("out_of_order.room_id", json!(1)),
            ("out_of_order.from_date", json!(in_days(41))),
            ("out_of_order.until_date", json!(in_days(43))),
            ("out_of_order.kind", json!("OUT_OF_ORDER_KIND_OUT_OF_SERVICE")),
            ("out_of_order.reason", json!("paint")),
            ("force", json!(false)),
        ],
    )
}

async fn note_case(world: &World<'_>, hotel: HotelFixture) -> Case {
    let guest = world.guest().await;
    let (first, second) =
        (world.book(&guest, hotel, &Stay::ahead(30, 1)).await, world.book(&guest, hotel, &Stay::ahead(31, 1)).await);
    Case::new(
        json!({ "reservation_id": first["reservation_id"], "content": "Arrives late" }),
        [("reservation_id", second["reservation_id"].clone()), ("content", json!("Arrives early"))],
    )
}

fn hotel_case() -> Case {
    Case::new(
        json!({ "hotel": {
            "display_name": "Mar Azul", "description": "By the sea", "time_zone": "Europe/Lisbon",
            "currency_code": "EUR", "star_rating": 4, "amenities": ["pool"], "photo_urls": ["https://a.example/1.jpg"],
            "address": { "street": "Rua 1", "city": "Lisboa", "postal_code": "1000", "country_code": "PT" },
            "location": { "latitude": 38.7, "longitude": -9.1 }, "etag": "a", "min_child_age": 1, "room_required_at_check_in": true,
            "age_bands": [{ "code": "CHILD", "max_age": 11 }], "check_in_time": "15:00", "day_rollover": "00:00",
        } }),
        [
            ("hotel.display_name", json!("Mar Verde")),
            ("hotel.description", json!("By the river")),
            ("hotel.time_zone", json!("Europe/Madrid")),
            ("hotel.check_in_time", json!("14:00")),
            ("hotel.day_rollover", json!("04:00")),
            ("hotel.currency_code", json!("USD")),
            ("hotel.star_rating", json!(5)),
            ("hotel.amenities", json!(["pool", "bar"])),
            ("hotel.photo_urls", json!(["https://a.example/2.jpg"])),
            ("hotel.address.street", json!("Rua 2")),
            ("hotel.address.city", json!("Porto")),
            ("hotel.address.postal_code", json!("2000")),
            ("hotel.address.country_code", json!("ES")),
            ("hotel.location.latitude", json!(38.8)),
            ("hotel.location.longitude", json!(-9.2)),
            ("hotel.etag", json!("b")),
            ("hotel.min_child_age", json!(2)),
            ("hotel.room_required_at_check_in", json!(false)),
            ("hotel.age_bands", json!([{ "code": "CHILD", "max_age": 12 }])),
        ],
    )
}

fn room_type_case(hotel_id: i64, other: i64) -> Case {
    Case::new(
        json!({ "hotel_id": hotel_id, "room_type": {
            "display_name": "Suite", "description": "Large", "beds": [{ "kind": "BED_KIND_KING", "count": 1 }],
            "max_occupancy": 4, "amenities": ["balcony"], "photo_urls": ["https://a.example/1.jpg"], "etag": "a",
            "base_occupancy": 1, "max_adults": 2, "max_children": 1, "max_infants": 1, "max_extra_beds": 1,
        } }),
        [
            ("hotel_id", json!(other)),
            ("room_type.display_name", json!("Junior suite")),
            ("room_type.description", json!("Larger")),
            ("room_type.beds", json!([{ "kind": "BED_KIND_KING", "count": 2 }])),
            ("room_type.base_occupancy", json!(2)),
            ("room_type.max_occupancy", json!(3)),
            ("room_type.max_adults", json!(3)),
            ("room_type.max_children", json!(2)),
            ("room_type.max_infants", json!(2)),
            ("room_type.max_extra_beds", json!(2)),
            ("room_type.amenities", json!([])),
            ("room_type.photo_urls", json!(["https://a.example/2.jpg"])),
            ("room_type.etag", json!("b")),
        ],
    )
}

/// Every method with a route whose request has a `request_id`, by name.
fn methods_with_request_id() -> BTreeMap<String, MethodDescriptor> {
    let pool = DescriptorPool::decode(staymesh_api::DESCRIPTOR_SET).expect("the contract");
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let with_id = methods.filter(|method| method.input().get_field_by_name("request_id").is_some());
    with_id.map(|method| (method.name().to_owned(), method)).collect()
}

/// The fields of a request that callers set, except its id: dotted names, and whether they are required.
fn fields(method: &MethodDescriptor) -> BTreeMap<String, bool> {
    let mut found = BTreeMap::new();
    let mut open: Vec<(String, FieldDescriptor)> =
        method.input().fields().map(|field| (field.name().to_owned(), field)).collect();
    while let Some((name, field)) = open.pop() {
        let behavior = behavior(&field);
        if name == "request_id" || behavior.contains(&OUTPUT_ONLY) {
            continue;
        }
        match field.kind() {
            Kind::Message(message) if !field.is_list() => {
                open.extend(message.fields().map(|field| (format!("{name}.{}", field.name()), field)));
            }
            _ => {
                found.insert(name, behavior.contains(&REQUIRED));
            }
        }
    }
    found
}

/// `google.api.field_behavior` of a field.
fn behavior(field: &FieldDescriptor) -> Vec<i32> {
    let extension = field.parent_pool().get_extension_by_name("google.api.field_behavior").expect("the option");
    let options = field.options();
    let values = options.get_extension(&extension);
    values.as_list().into_iter().flatten().filter_map(Proto::as_enum_number).collect()
}

/// The request with a field, by its dotted name, replaced or removed.
fn altered(request: &Value, field: &str, value: &Value) -> Value {
    match field.split_once('.') {
        Some((name, rest)) => with(request, &json!({ name: altered(&request[name], rest, value) })),
        None => with(request, &json!({ field: value })),
    }
}

/// Sends a request over REST as its route has it.
async fn send(world: &World<'_>, method: &MethodDescriptor, request: &Value) -> Answer {
    let extension = method.parent_pool().get_extension_by_name("google.api.http").expect("the option");
    let options = method.options();
    let rule = options.get_extension(&extension);
    let rule: &DynamicMessage = rule.as_message().expect("a rule");
    let text = |name: &str| {
        let value = rule.get_field_by_name(name).expect("a field of the rule");
        value.as_str().expect("a text").to_owned()
    };
    let (mut path, mut rest) = (text("post"), request.clone());
    let fields = request.as_object().expect("an object");
    for (name, value) in fields {
        let place = format!("{{{name}}}");
        if path.contains(&place) {
            path = path.replace(&place, &value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            rest = with(&rest, &json!({ name: null }));
        }
    }
    let body = match text("body").as_str() {
        "*" => rest,
        name => {
            let in_query =
                rest.as_object().expect("an object").iter().filter(|(key, value)| *key != name && !value.is_null());
            let query = in_query.map(|(key, value)| match value.as_str() {
                Some(text) => format!("{key}={text}"),
                None => format!("{key}={value}"),
            });
            path = format!("{path}?{}", query.collect::<Vec<_>>().join("&"));
            rest[name].clone()
        }
    };
    world.admin.call_until_answered(Method::POST, &path, Some(body)).await
}
