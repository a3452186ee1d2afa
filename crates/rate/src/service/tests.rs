use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::future::join_all;
use staymesh_api::{rate::v1 as proto, r#type::v1 as types};
use staymesh_mesh::{Problem, Reason};
use staymesh_store::audit::{ActorRole, Gateway, Origin};

use crate::{
    clients::hotel::MockHotelClient,
    testing::{Fixture, demand, euros, fee, fixture, fixture_with, hotels, percentage, rate, reason},
};

async fn count(fixture: &Fixture, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(fixture.database.pool()).await.unwrap()
}

#[tokio::test]
async fn set_rate_in_another_currency_or_for_an_unknown_room_type_is_refused() {
    let fixture = fixture().await;
    let dollars = types::Money { currency_code: "USD".into(), amount: "1".into() };
    let foreign = proto::RoomRate { base_price: Some(dollars), ..rate("1") };
    assert_eq!(reason(&fixture.set_rate(1, foreign).await.unwrap_err()), Reason::CurrencyMismatch);
    assert_eq!(reason(&fixture.set_rate(100, rate("1")).await.unwrap_err()), Reason::RoomTypeNotFound);
    assert_eq!(count(&fixture, "select count(*) from room_rate").await, 0);
}

/// The hotel service decides a hotel's currency; foreign keys still refuse a second currency if it returns another one.
#[tokio::test]
async fn second_currency_of_a_hotel_is_refused_by_foreign_keys() {
    let changed = Arc::new(AtomicBool::new(false));
    let now = changed.clone();
    let fixture = fixture_with(hotels(move || if now.load(Ordering::SeqCst) { "USD" } else { "EUR" })).await;
    fixture.set_rate(1, rate("100")).await.unwrap();
    fixture.set_nights(1, "2027-03-01", "2027-03-02", euros("90")).await.unwrap();
    changed.store(true, Ordering::SeqCst);
    let dollars = Some(types::Money { currency_code: "USD".into(), amount: "1".into() });
    for room_type_id in [1, 2] {
        let foreign = proto::RoomRate { base_price: dollars.clone(), ..rate("1") };
        assert_eq!(reason(&fixture.set_rate(room_type_id, foreign).await.unwrap_err()), Reason::CurrencyMismatch);
    }
    let refused = fixture.set_taxes(vec![fee("City", dollars)]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::CurrencyMismatch);
    assert_eq!(count(&fixture, "select count(distinct currency_code) from room_rate").await, 1);

    let forced = sqlx::query("update nightly_price set currency_code = 'USD'").execute(fixture.database.pool()).await;
    assert_eq!(forced.unwrap_err().as_database_error().unwrap().constraint(), Some("nightly_price_room_rate_fkey"));
}

#[tokio::test]
async fn set_rate_and_taxes_fail_while_the_hotel_service_is_unavailable() {
    let mut unavailable = MockHotelClient::new();
    let problem = || Problem::new(Reason::DependencyUnavailable, "unavailable");
    unavailable.expect_hotel().returning(move |_| Err(problem()));
    unavailable.expect_require_room_type().returning(move |_, _| Err(problem()));
    let fixture = fixture_with(unavailable).await;
    assert_eq!(reason(&fixture.set_rate(1, rate("1")).await.unwrap_err()), Reason::DependencyUnavailable);
    assert_eq!(
        reason(&fixture.set_taxes(vec![percentage("VAT", 1)]).await.unwrap_err()),
        Reason::DependencyUnavailable
    );
    assert_eq!(count(&fixture, "select count(*) from hotel_currency").await, 0);
    // Pricing does not call the hotel service.
    assert!(fixture.price(vec![demand(1, &[0; 3])]).await.unwrap().is_empty());
}

#[tokio::test]
async fn concurrent_set_rate_with_one_etag_lets_exactly_one_win() {
    let fixture = fixture().await;
    let set = fixture.set_rate(1, rate("100")).await.unwrap();
    let changes = (1..=20).map(|number| {
        let change = proto::RoomRate { etag: set.etag.clone(), ..rate(&number.to_string()) };
        fixture.set_rate(1, change)
    });
    let (won, lost): (Vec<_>, Vec<_>) = join_all(changes).await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for refused in lost {
        assert_eq!(reason(&refused.unwrap_err()), Reason::EtagMismatch);
    }
    let won = won.into_iter().next().unwrap().unwrap();
    assert_ne!(won.etag, set.etag);
    assert_eq!(fixture.set_rate(1, won.clone()).await.unwrap(), won);
}

#[tokio::test]
async fn set_rate_with_an_etag_but_no_rate_is_an_etag_mismatch() {
    let fixture = fixture().await;
    let change = proto::RoomRate { etag: "1-1".into(), ..rate("100") };
    assert_eq!(reason(&fixture.set_rate(1, change).await.unwrap_err()), Reason::EtagMismatch);
    assert_eq!(count(&fixture, "select count(*) from room_rate").await, 0);
}

#[tokio::test]
async fn concurrent_set_rate_retries_create_one_rate_and_get_one_response() {
    let fixture = fixture().await;
    let answers = join_all((0..30).map(|_| fixture.set_rate(1, rate("100")))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(count(&fixture, "select count(*) from occupancy_rule").await, 1);
}

/// Each change is atomic, and changes of the same nights do not deadlock.
#[tokio::test]
async fn concurrent_set_nightly_prices_of_one_range_are_serialized() {
    let fixture = fixture().await;
    fixture.set_rate(1, rate("100")).await.unwrap();
    let changes = (1..=24).map(|number| {
        let price = if number % 4 == 0 { None } else { euros(&number.to_string()) };
        fixture.set_nights(1, "2027-01-01", "2028-01-01", price)
    });
    for answer in join_all(changes).await {
        assert_eq!(answer.unwrap(), 365);
    }
    let nights = count(&fixture, "select count(*) from nightly_price").await;
    let prices = count(&fixture, "select count(distinct price_minor) from nightly_price").await;
    assert!((nights, prices) == (0, 0) || (nights, prices) == (365, 1), "{nights} nights of {prices} prices");
}

#[tokio::test]
async fn concurrent_set_taxes_are_serialized() {
    let fixture = fixture().await;
    let changes = (1..=12).map(|number| {
        let taxes = ["A", "B", "C"].map(|name| percentage(&format!("{name}{number}"), number));
        fixture.set_taxes(taxes.to_vec())
    });
    for answer in join_all(changes).await {
        answer.unwrap();
    }
    assert_eq!(count(&fixture, "select count(*) from tax").await, 3);
    assert_eq!(count(&fixture, "select count(distinct basis_points) from tax").await, 1);
}

#[tokio::test]
async fn every_change_by_staff_writes_one_audit_record() {
    let fixture = fixture().await;
    let origin = Origin {
        role: ActorRole::Staff,
        actor: "auditor".to_owned(),
        method: "test".to_owned(),
        request_id: "r".to_owned(),
        gateway: Gateway::Internal,
    };
    let changes = async {
        // Each twice: the repeat changes nothing.
        for price in ["100", "100", "120", "120"] {
            fixture.set_rate(1, rate(price)).await.unwrap();
        }
        for _ in 0..2 {
            fixture.set_nights(1, "2027-03-01", "2027-03-03", euros("90")).await.unwrap();
            fixture.set_taxes(vec![percentage("VAT", 600)]).await.unwrap();
        }
    };
    Origin::scope(Some(origin), changes).await;
    let seen: Vec<(String, String, Option<serde_json::Value>)> =
        sqlx::query_as("select object_type, object_id, after from audit_record order by audit_id")
            .fetch_all(fixture.database.pool())
            .await
            .unwrap();
    let objects: Vec<_> = seen.iter().map(|(object, id, _)| (&**object, &**id)).collect();
    assert_eq!(objects, [("rate", "7/1"), ("rate", "7/1"), ("nightly_prices", "7/1"), ("taxes", "7")]);
    let [_, repriced, nights, _] = seen.try_into().unwrap();
    assert_eq!(repriced.2.unwrap(), serde_json::json!({"base_price_minor": 12000, "version": 2}));
    assert_eq!(nights.2.unwrap(), serde_json::json!({"2027-03-01": 9000, "2027-03-02": 9000}));
}
