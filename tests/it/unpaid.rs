//! Unpaid holds under the default limits (S2): accounts that cost nothing cannot hold a hotel, and honest guests book.

use serde_json::json;
use uuid::Uuid;

use crate::support::{GOOD_CARD, HotelFixture, PrivateMesh, Provider, Rest, Stay, World, eventually};

const PASSWORD: &str = "correct horse battery";

/// A guest with a new account, whose address is not confirmed, at this address of the loopback network.
struct Guest {
    rest: Rest,
    email: String,
}

impl Guest {
    async fn sign_up(world: &World<'_>, host: u8) -> Self {
        let public = world.public.at_address(host);
        let email = format!("{}@staymesh.example", Uuid::new_v4().simple());
        public.post("/v1/users", json!({ "email": email, "password": PASSWORD })).await.ok();
        let rest = public.with_token(&log_in(&public, &email).await);
        Self { rest, email }
    }

    /// The `reason` of the refusal to hold so many rooms unpaid; `None` if they are held.
    async fn hold(&self, world: &World<'_>, hotel: HotelFixture, stay: &Stay, rooms: i32) -> Option<String> {
        let order = world.prepare(&self.rest, hotel, stay, rooms).await;
        let answer = self.rest.post("/v1/reservations", order).await;
        if answer.status.is_success() { None } else { Some(answer.reason().expect("a reason").to_owned()) }
    }

    /// Confirms the address with the mailed link, and logs in again.
    async fn confirm(&mut self, world: &World<'_>) {
        let mails = world.mesh.local().mails();
        let token = eventually("the mail with the link", async || {
            let files = std::fs::read_dir(&mails).expect("the folder of mails").filter_map(Result::ok);
            let mails = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
            let mut mine = mails.filter(|mail| mail.contains(&self.email));
            let text = mine.find_map(|mail| {
                mail.replace("=\r\n", "").replace("=3D", "=").split_once("#token=").map(|(_, rest)| rest.to_owned())
            })?;
            text.split('&').next().map(str::to_owned)
        });
        self.rest.post("/v1/users:confirmEmail", json!({ "token": token.await })).await.ok();
        let token = log_in(&self.rest, &self.email).await;
        self.rest = self.rest.with_token(&token);
    }
}

async fn log_in(gateway: &Rest, email: &str) -> String {
    let tokens = gateway.post_until_answered("/v1/auth/login", json!({ "email": email, "password": PASSWORD })).await;
    tokens["access_token"].as_str().expect("a token").to_owned()
}

/// Rooms that are left in the night with the fewest.
async fn rooms_left(world: &World<'_>, hotel: HotelFixture, stay: &Stay) -> i64 {
    let query = format!("check_in={}&check_out={}", stay.check_in, stay.check_out);
    let found = world.public.get(&format!("/v1/hotels/{}/availability?{query}", hotel.hotel_id)).await.ok();
    found["room_types"][0]["rooms_left"].as_i64().expect("a number")
}

/// Books as many rooms for one night as each of three new accounts at one address may.
async fn attack(world: &World<'_>, hotel: HotelFixture, stay: &Stay) -> Vec<Guest> {
    let mut attackers = Vec::new();
    for _ in 0..3 {
        let attacker = Guest::sign_up(world, 66).await;
        for rooms in [9, 9, 9, 9, 5, 2, 2, 1, 1] {
            if i64::from(rooms) <= rooms_left(world, hotel, stay).await {
                attacker.hold(world, hotel, stay, rooms).await;
            }
        }
        attackers.push(attacker);
    }
    attackers
}

#[tokio::test(flavor = "multi_thread")]
async fn new_accounts_of_one_address_hold_no_hotel_and_a_family_books_nine_rooms() {
    let mesh = PrivateMesh::with_default_unpaid_limits().await;
    let world = World::on(&mesh).await;
    let (hotel, night) = (world.hotel(200).await, Stay::ahead(30, 1));
    // 200 rooms and 10 % of overbooking.
    let all = rooms_left(&world, hotel, &night).await;
    let attackers = attack(&world, hotel, &night).await;
    let left = rooms_left(&world, hotel, &night).await;
    assert_eq!((all, all - left), (220, 90), "30 room nights of each account that is not confirmed");
    let refused = attackers[0].hold(&world, hotel, &night, 1).await;
    assert_eq!(refused.as_deref(), Some("TOO_MANY_UNPAID_ROOMS"));

    // A family with an account as new, at another address: nine rooms for three nights, beside what the attackers hold.
    let mut family = Guest::sign_up(&world, 10).await;
    assert_eq!(family.hold(&world, hotel, &Stay::ahead(30, 3), 9).await, None);
    let refused = family.hold(&world, hotel, &Stay::ahead(40, 3), 9).await;
    assert_eq!(refused.as_deref(), Some("TOO_MANY_UNPAID_ROOMS"));
    // With a confirmed address, nine rooms for a fortnight more.
    family.confirm(&world).await;
    assert_eq!(family.hold(&world, hotel, &Stay::ahead(40, 14), 9).await, None);

    small_house(&world, &family).await;
}

/// Of a small house at most half is held unpaid, and who pays makes room: nearly all of it can be booked.
async fn small_house(world: &World<'_>, family: &Guest) {
    let (inn, night) = (world.hotel(10).await, Stay::ahead(60, 1));
    attack(world, inn, &night).await;
    assert_eq!(rooms_left(world, inn, &night).await, 6, "11 with overbooking, of which five are held unpaid");

    let free = Stay::ahead(70, 1);
    assert_eq!(family.hold(world, inn, &free, 9).await.as_deref(), Some("TOO_MANY_ROOMS_HELD_UNPAID"));
    let provider = Provider::of(world.mesh).await;
    for _ in 0..2 {
        let order = world.prepare(&family.rest, inn, &free, 5).await;
        let booked = family.rest.post("/v1/reservations", order).await.ok();
        let reservation_id = booked["reservation_id"].as_str().expect("an id");
        let payment = family.rest.post("/v1/payments", json!({ "reservation_id": reservation_id })).await.ok();
        assert_eq!(provider.use_card(&payment, GOOD_CARD).await, 200);
        world.await_status(&family.rest, reservation_id, "PAID").await;
    }
    assert_eq!(rooms_left(world, inn, &free).await, 1);
}
