//! Reservation ids are decoded equally by the database and the code.

use jiff::Timestamp;
use sqlx::PgPool;
use staymesh_domain::{HotelId, RESERVATION_HOTEL_ID_CHECK, RESERVATION_HOTEL_ID_FUNCTION, ReservationId};
use staymesh_store::StoreError;
use uuid::Uuid;

use crate::support::database;

async fn insert(pool: &PgPool, hotel_id: i32, id: Uuid) -> Result<(), StoreError> {
    let insert = sqlx::query("insert into booking (hotel_id, reservation_id) values ($1, $2)");
    Ok(insert.bind(hotel_id).bind(id).execute(pool).await.map(drop)?)
}

#[tokio::test]
async fn check_refuses_the_id_of_another_hotel() {
    let table = format!(
        "create table booking (hotel_id integer not null, reservation_id uuid not null,
             constraint booking_id_of_hotel check ({RESERVATION_HOTEL_ID_CHECK}))"
    );
    let database = database(&[RESERVATION_HOTEL_ID_FUNCTION, &table]).await;
    let pool = database.pool();

    for number in [1, 42, 5_000, 0x0001_0000, i32::MAX] {
        let hotel_id = HotelId::try_from(number).unwrap();
        for _ in 0..20 {
            let id = ReservationId::generate(hotel_id, Timestamp::now()).as_uuid();
            let read: i32 =
                sqlx::query_scalar("select reservation_hotel_id($1)").bind(id).fetch_one(pool).await.unwrap();
            assert_eq!(read, number);
            insert(pool, number, id).await.unwrap();
            let error = insert(pool, number - 1, id).await.unwrap_err();
            assert_eq!(error.constraint(), Some("booking_id_of_hotel"));
        }
    }
}

#[tokio::test]
async fn code_and_database_refuse_the_same_ids() {
    let table = format!(
        "create table booking (hotel_id integer not null, reservation_id uuid not null,
             constraint booking_id_of_hotel check ({RESERVATION_HOTEL_ID_CHECK}))"
    );
    let database = database(&[RESERVATION_HOTEL_ID_FUNCTION, &table]).await;
    let hotel_id = HotelId::try_from(42).unwrap();
    let good = ReservationId::generate(hotel_id, Timestamp::now()).to_string();
    for version in ["7", "8", "9", "0"] {
        for variant in ["0", "7", "8", "9", "a", "b", "c", "f"] {
            for (hotel, number) in [("0000002a", 42), ("00000000", 0), ("ffffffff", -1), ("80000000", i32::MIN)] {
                let mut text = good.clone();
                text.replace_range(14..15, version);
                text.replace_range(19..20, variant);
                text.replace_range(28..36, hotel);
                let in_code = text.parse::<ReservationId>().is_ok();
                let in_database = insert(database.pool(), number, text.parse().unwrap()).await.is_ok();
                assert_eq!(in_code, in_database, "{text}");
                assert_eq!(in_code, version == "8" && "89ab".contains(variant) && number == 42, "{text}");
            }
        }
    }
}
