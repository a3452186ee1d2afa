//! Names and room numbers: compared as people compare them.

use std::borrow::Cow;

use sqlx::{PgPool, migrate::Migrator};
use staymesh_api::hotel::v1::{
    self as proto, ListHotelsRequest, UpdateRoomRequest, hotel_admin_service_server::HotelAdminService,
    hotel_service_server::HotelService,
};
use staymesh_domain::Text;
use staymesh_mesh::Reason;
use staymesh_testkit::TestDatabase;
use tonic::Request;

use crate::{
    MIGRATOR,
    testing::{fixture, hotel, reason, room, room_type, staff},
};

#[tokio::test]
async fn room_number_is_unique_without_case_and_form() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let room_type_id = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    let first = fixture.create_room(hotel_id, room(room_type_id, "12A")).await.unwrap();
    for same in ["12A", "12a", "１２Ａ", " 12a ", "12\u{200d}a"] {
        let refused = fixture.create_room(hotel_id, room(room_type_id, same)).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::RoomNumberTaken, "{same:?}");
    }
    let other = fixture.create_room(hotel_id, room(room_type_id, "12B")).await.unwrap();
    let rename = |room_id: i32, number: &str| {
        let room = Some(room(room_type_id, number));
        staff(&[hotel_id], UpdateRoomRequest { hotel_id, room_id, room, update_mask: None })
    };
    let refused = fixture.admin.update_room(rename(other.room_id, "12a")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomNumberTaken);
    // Its own number in another case is free.
    let renamed = fixture.admin.update_room(rename(first.room_id, "12a")).await.unwrap().into_inner();
    assert_eq!(renamed.room_number, "12a");
}

#[tokio::test]
async fn room_type_name_is_unique_without_case_and_kept_composed() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let made = fixture.create_room_type(hotel_id, room_type(" Cafe\u{301} Suite ")).await.unwrap();
    assert_eq!(made.display_name, "Café Suite");
    for same in ["Café Suite", "CAFÉ suite", "cafe\u{301} Suite"] {
        let refused = fixture.create_room_type(hotel_id, room_type(same)).await.unwrap_err();
        assert_eq!(reason(&refused), Reason::RoomTypeNameTaken, "{same:?}");
    }
    fixture.create_room_type(hotel_id, room_type("Cafe Suite")).await.unwrap();
}

#[tokio::test]
async fn city_is_found_in_every_spelling() {
    let fixture = fixture().await;
    let address = proto::Address { city: "E\u{301}vora".into(), ..hotel().address.unwrap() };
    let made = fixture.create_hotel(proto::Hotel { address: Some(address), ..hotel() }).await.unwrap();
    assert_eq!(made.address.as_ref().unwrap().city, "Évora");
    for city in ["évora", "E\u{301}VORA", " Évora"] {
        let request = ListHotelsRequest { city: city.into(), ..Default::default() };
        let found = fixture.hotels.list_hotels(Request::new(request)).await.unwrap().into_inner().hotels;
        assert_eq!(found, std::slice::from_ref(&made), "{city:?}");
    }
}

#[tokio::test]
async fn text_key_of_the_database_is_the_key_of_the_domain() {
    let fixture = fixture().await;
    for text in [
        "12A",
        "Éclair \u{200d}ﬁn",
        "e\u{301}\u{fe0f}",
        "ΟΔΌΣ",
        "İstanbul ǅ STRASSE",
        "葛\u{e0100}城 \u{200f}שלום",
        "ﾊﾝｶｸ",
    ] {
        let key: String =
            sqlx::query_scalar("select text_key($1)").bind(text).fetch_one(fixture.database.pool()).await.unwrap();
        assert_eq!(key, Text::line(text, 1..=100).unwrap().key(), "{text}");
    }
}

/// A database before texts were compared without case.
async fn database_of_before() -> TestDatabase {
    let earlier: Vec<_> = MIGRATOR.iter().filter(|migration| migration.version < 3).cloned().collect();
    let migrator = Migrator { migrations: Cow::Owned(earlier), ..Migrator::DEFAULT };
    TestDatabase::new("hotel", &migrator).await.unwrap()
}

async fn insert(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.unwrap();
}

#[tokio::test]
async fn migration_keeps_and_marks_duplicates_until_they_are_renamed() {
    let database = database_of_before().await;
    let pool = database.pool();
    insert(
        pool,
        "insert into hotel (display_name, description, street, city, postal_code, country_code, time_zone,
             currency_code, star_rating, amenities, photo_urls)
         values ('One', '', '', 'Porto', '', 'PT', 'Europe/Lisbon', 'EUR', 0, '{}', '{}');
         insert into room_type (hotel_id, display_name, description, beds, max_occupancy, amenities, photo_urls)
         values (1, 'Suite', '', '[{}]', 2, '{}', '{}'), (1, 'SUITE', '', '[{}]', 2, '{}', '{}');
         insert into room (hotel_id, room_type_id, room_number, floor)
         values (1, 1, '12A', 0), (1, 1, '12a', 0), (1, 2, '12B', 0)",
    )
    .await;
    MIGRATOR.run(pool).await.unwrap();
    let marked = async |sql: &'static str| sqlx::query_scalar::<_, String>(sql).fetch_all(pool).await.unwrap();
    assert_eq!(marked("select room_number from room where duplicate").await, ["12a"]);
    assert_eq!(marked("select display_name from room_type where duplicate").await, ["SUITE"]);

    // Other changes keep the mark, a new name removes it, and then it cannot become a duplicate again.
    insert(pool, "update room set floor = 1, room_number = '12a' where room_number = '12a'").await;
    assert_eq!(marked("select room_number from room where duplicate").await, ["12a"]);
    insert(pool, "update room set room_number = '12C' where room_number = '12a'").await;
    assert_eq!(marked("select room_number from room where duplicate").await, [""; 0]);
    let again = sqlx::raw_sql("update room set room_number = '12a' where room_number = '12C'").execute(pool).await;
    let refused = again.unwrap_err().into_database_error().unwrap();
    assert_eq!(refused.constraint(), Some("room_room_number_text_key"));
    insert(pool, "update room_type set display_name = 'Other' where display_name = 'SUITE'").await;
    assert_eq!(marked("select display_name from room_type where duplicate").await, [""; 0]);
}
