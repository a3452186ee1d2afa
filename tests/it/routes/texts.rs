//! Odd Unicode in names and e-mail addresses, through the edge: what is taken is stored in its normal form, and everything
//! else is refused by name.

use std::collections::BTreeSet;

use serde_json::json;
use staymesh_domain::{Email, Text};
use uuid::Uuid;

use crate::support::{Stay, World};

const PASSWORD: &str = "correct horse battery";

/// Texts of 1 to 20 characters that have hurt programs, and some that people have.
const TEXTS: [&str; 30] = [
    "12A",
    "12a",
    "１２Ａ",
    "12\u{200d}A",
    " 12A ",
    "é",
    "e\u{301}",
    "E\u{301}",
    "\u{200b}",
    "\u{200d}\u{200c}",
    "\u{feff}7",
    "7\u{202e}8",
    "\u{2066}7\u{2069}",
    "7\0",
    "7\n8",
    "7\u{85}8",
    "7\u{2028}8",
    "\u{3164}",
    "\u{2800}",
    "\u{e000}",
    "\u{ffff}",
    "\u{10ffff}",
    "\u{301}\u{302}",
    "👩\u{200d}🚀",
    "🏴\u{e0067}\u{e0062}\u{e007f}",
    "葛\u{e0100}城",
    "שלום\u{200f}",
    "ΟΔΌΣ",
    "\u{ad}",
    "' or '1'='1",
];

#[tokio::test(flavor = "multi_thread")]
async fn odd_room_number_is_stored_normal_refused_or_taken() {
    let world = World::shared().await;
    let hotel = world.hotel(1).await;
    let rooms = format!("/v1/hotels/{}/rooms", hotel.hotel_id);
    let mut keys = BTreeSet::new();
    for text in TEXTS {
        let room = json!({ "room_type_id": hotel.room_type_id, "room_number": text, "floor": 1 });
        let answer = world.admin.post(&rooms, room).await;
        match Text::line(text, 1..=20) {
            Err(_) => answer.violating(&["room.room_number"]),
            Ok(text) if keys.insert(text.key()) => assert_eq!(answer.ok()["room_number"], text.as_str()),
            Ok(_) => drop(answer.refused(409, "ROOM_NUMBER_TAKEN")),
        }
    }
    assert!(keys.len() > 5 && keys.len() < 15, "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_guest_name_and_address_are_stored_normal_or_refused() {
    let world = World::shared().await;
    let hotel = world.hotel(100).await;
    let guest = world.guest().await;
    let stay = Stay::ahead(30, 1);
    let addresses = [
        "Ada@Example.ORG",
        "dörte@bücher.example",
        " ada@example.org ",
        "a@b.example,c@d.example",
        "<a@b.example>",
        "a@.",
        "a@b.example\r\nBcc: c@d.example",
        "a\u{200b}@b.example",
        "\u{ff41}@b.example",
        "a@b\u{2024}example",
    ];
    for (at, address) in addresses.into_iter().enumerate() {
        let mut order = world.prepare(&guest, hotel, &stay, 1).await;
        let name = TEXTS[at * 3];
        order["primary_guest"] = json!({ "full_name": name, "email": address });
        let answer = guest.post("/v1/reservations", order).await;
        match (Text::line(name, 1..=200), Email::parse(address)) {
            (Ok(name), Ok(email)) => {
                let made = answer.ok();
                let expected = json!({ "full_name": name.as_str(), "email": email.as_written() });
                assert_eq!(made["primary_guest"], expected);
            }
            (name, email) => {
                let wrong = [("full_name", name.is_err()), ("email", email.is_err())];
                let wrong = wrong.into_iter().filter(|(_, wrong)| *wrong);
                let fields: Vec<_> = wrong.map(|(field, _)| format!("primary_guest.{field}")).collect();
                answer.violating(&fields.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn account_beyond_ascii_is_found_in_every_spelling() {
    let world = World::shared().await;
    let name = Uuid::new_v4().simple();
    let account = json!({ "email": format!("Dörte.{name}@Bücher.example"), "password": PASSWORD });
    let made = world.public.post("/v1/users", account.clone()).await.ok();
    assert_eq!(made["email"], format!("dörte.{name}@xn--bcher-kva.example"));
    let same = format!("DO\u{308}RTE.{name}@xn--bcher-kva.example");
    world.public.post("/v1/auth/login", json!({ "email": same, "password": PASSWORD })).await.ok();
    world.public.post("/v1/users", json!({ "email": same, "password": PASSWORD })).await.refused(409, "EMAIL_TAKEN");
    let found = format!("/v1/users:find?email=D%C3%B6rte.{name}@b%C3%BCcher.example");
    assert_eq!(world.admin.get(&found).await.ok()["user_id"], made["user_id"]);
}
