//! Setting the payout destination of a hotel.

use jiff::civil::date;
use sqlx::PgPool;
use staymesh_domain::HotelId;
use staymesh_mesh::{Problem, Reason};
use staymesh_store::audit::{ActorRole, Gateway, Origin};
use uuid::Uuid;

use crate::{
    clients::hotels::MockHotelClient,
    error::PaymentError,
    jobs::payouts::tests::sold_at,
    model::Status,
    service::Payments,
    testing::{MockPsp, booking, database, eur, in_status, reads, service},
};

/// A service whose hotel client expects this number of calls and returns `answer`.
fn with(pool: &PgPool, times: usize, answer: Result<(), Reason>) -> Payments<MockPsp> {
    let mut hotels = MockHotelClient::new();
    hotels
        .expect_require_hotel()
        .times(times)
        .returning(move |_| answer.map_err(|reason| Problem::new(reason, "from the hotel service")));
    Payments { hotels: std::sync::Arc::new(hotels), ..service(pool, reads(booking()), MockPsp::new()) }
}

async fn set(service: &Payments<MockPsp>, hotel_id: i32, to: &str) -> Result<String, Reason> {
    let hotel_id = HotelId::try_from(hotel_id).unwrap();
    let set = service.set_payout_destination(hotel_id, to, "admin").await;
    set.map(|set| set.destination).map_err(|error: PaymentError| Problem::from(error).reason())
}

async fn destinations(pool: &PgPool) -> i64 {
    sqlx::query_scalar("select count(*) from hotel_destination").fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn set_destination_requires_an_existing_hotel() {
    let database = database().await;
    let pool = database.pool();
    for reason in [Reason::HotelNotFound, Reason::DependencyUnavailable] {
        assert_eq!(set(&with(pool, 1, Err(reason)), 1001, "acct_1").await, Err(reason));
    }
    assert_eq!(destinations(pool).await, 0);
    assert_eq!(set(&with(pool, 1, Ok(())), 1001, "acct_1").await.as_deref(), Ok("acct_1"));
    // A repeat makes no call, so it succeeds even if the hotel was deleted; another destination is verified again.
    assert_eq!(set(&with(pool, 0, Ok(())), 1001, "acct_1").await.as_deref(), Ok("acct_1"));
    assert_eq!(set(&with(pool, 1, Err(Reason::HotelNotFound)), 1001, "acct_2").await, Err(Reason::HotelNotFound));
    assert_eq!(destinations(pool).await, 1);
}

#[tokio::test]
async fn set_destination_of_deleted_hotel_with_postings_succeeds() {
    let database = database().await;
    let pool = database.pool();
    sold_at(pool, 7, eur(10_000), 700, date(2030, 5, 4)).await;
    let without_calls = with(pool, 0, Err(Reason::HotelNotFound));
    assert_eq!(set(&without_calls, 7, "acct_7").await.as_deref(), Ok("acct_7"));
    assert_eq!(set(&without_calls, 7, "acct_8").await.as_deref(), Ok("acct_8"));
    assert_eq!(set(&with(pool, 1, Err(Reason::HotelNotFound)), 8, "acct_8").await, Err(Reason::HotelNotFound));
}

#[tokio::test]
async fn set_destination_and_refund_write_one_audit_record_each() {
    let database = database().await;
    let pool = database.pool();
    let paid = in_status(pool, Status::Paid).await;
    let origin = Origin {
        role: ActorRole::Admin,
        actor: "auditor".to_owned(),
        method: "test".to_owned(),
        request_id: "r".to_owned(),
        gateway: Gateway::Internal,
    };
    let changes = async {
        let known = with(pool, 1, Ok(()));
        let request_id = Uuid::new_v4();
        for _ in 0..2 {
            assert_eq!(set(&known, 1001, "acct_1").await.as_deref(), Ok("acct_1"));
            known.refund(paid.payment_id, Some(eur(100)), false, request_id).await.unwrap();
        }
    };
    Origin::scope(Some(origin), changes).await;
    let seen: Vec<(String, String)> =
        sqlx::query_as("select object_type, object_id from audit_record order by object_type")
            .fetch_all(pool)
            .await
            .unwrap();
    let expected = [("payment", paid.payment_id.to_string()), ("payout_destination", "1001".to_owned())];
    assert_eq!(seen, expected.map(|(object, id)| (object.to_owned(), id)));
}
