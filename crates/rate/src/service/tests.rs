use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::future::join_all;
use staymesh_api::{rate::v1 as proto, r#type::v1 as types};
use staymesh_mesh::{Problem, Reason};

use crate::{
    catalog::MockCatalog,
    testing::{Desk, catalog, demand, desk, desk_with, euros, fee, rate, reason, share},
};

async fn count(desk: &Desk, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(desk.database.pool()).await.unwrap()
}

#[tokio::test]
async fn rates_are_in_the_currency_of_the_hotel() {
    let desk = desk().await;
    let dollars = types::Money { currency_code: "USD".into(), amount: "1".into() };
    let foreign = proto::RoomRate { base_price: Some(dollars), ..rate("1") };
    assert_eq!(reason(&desk.set_rate(1, foreign).await.unwrap_err()), Reason::CurrencyMismatch);
    assert_eq!(reason(&desk.set_rate(100, rate("1")).await.unwrap_err()), Reason::RoomTypeNotFound);
    assert_eq!(count(&desk, "select count(*) from room_rate").await, 0);
}

/// The hotel service alone is believed, but the database does not let two currencies into one hotel even so.
#[tokio::test]
async fn the_database_keeps_a_hotel_in_one_currency() {
    let changed = Arc::new(AtomicBool::new(false));
    let now = changed.clone();
    let desk = desk_with(catalog(move || if now.load(Ordering::SeqCst) { "USD" } else { "EUR" })).await;
    desk.set_rate(1, rate("100")).await.unwrap();
    desk.set_nights(1, "2027-03-01", "2027-03-02", euros("90")).await.unwrap();
    changed.store(true, Ordering::SeqCst);
    let dollars = Some(types::Money { currency_code: "USD".into(), amount: "1".into() });
    for room_type_id in [1, 2] {
        let foreign = proto::RoomRate { base_price: dollars.clone(), ..rate("1") };
        assert_eq!(reason(&desk.set_rate(room_type_id, foreign).await.unwrap_err()), Reason::CurrencyMismatch);
    }
    let refused = desk.set_taxes(vec![fee("City", dollars)]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::CurrencyMismatch);
    assert_eq!(count(&desk, "select count(distinct currency_code) from room_rate").await, 1);

    let forced = sqlx::query("update nightly_price set currency_code = 'USD'").execute(desk.database.pool()).await;
    assert_eq!(forced.unwrap_err().as_database_error().unwrap().constraint(), Some("nightly_price_room_rate_fkey"));
}

#[tokio::test]
async fn nothing_is_set_while_the_hotel_service_is_away() {
    let mut away = MockCatalog::new();
    let problem = || Problem::new(Reason::DependencyUnavailable, "away");
    away.expect_currency().returning(move |_| Box::pin(async move { Err(problem()) }));
    away.expect_require_room_type().returning(move |_, _| Box::pin(async move { Err(problem()) }));
    let desk = desk_with(away).await;
    assert_eq!(reason(&desk.set_rate(1, rate("1")).await.unwrap_err()), Reason::DependencyUnavailable);
    assert_eq!(reason(&desk.set_taxes(vec![share("VAT", 1)]).await.unwrap_err()), Reason::DependencyUnavailable);
    assert_eq!(count(&desk, "select count(*) from hotel_currency").await, 0);
    // Pricing asks nobody.
    assert!(desk.price(vec![demand(1, &[0; 3])]).await.unwrap().is_empty());
}

#[tokio::test]
async fn of_many_changes_with_one_etag_exactly_one_wins() {
    let desk = desk().await;
    let set = desk.set_rate(1, rate("100")).await.unwrap();
    let changes = (1..=20).map(|number| {
        let change = proto::RoomRate { etag: set.etag.clone(), ..rate(&number.to_string()) };
        desk.set_rate(1, change)
    });
    let (won, lost): (Vec<_>, Vec<_>) = join_all(changes).await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for refused in lost {
        assert_eq!(reason(&refused.unwrap_err()), Reason::EtagMismatch);
    }
    let won = won.into_iter().next().unwrap().unwrap();
    assert_ne!(won.etag, set.etag);
    assert_eq!(desk.set_rate(1, won.clone()).await.unwrap(), won);
}

#[tokio::test]
async fn an_etag_of_a_rate_that_is_not_there_is_stale() {
    let desk = desk().await;
    let change = proto::RoomRate { etag: "1-1".into(), ..rate("100") };
    assert_eq!(reason(&desk.set_rate(1, change).await.unwrap_err()), Reason::EtagMismatch);
    assert_eq!(count(&desk, "select count(*) from room_rate").await, 0);
}

#[tokio::test]
async fn repeats_at_once_make_one_rate_and_one_answer() {
    let desk = desk().await;
    let answers = join_all((0..30).map(|_| desk.set_rate(1, rate("100")))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(count(&desk, "select count(*) from occupancy_rule").await, 1);
}

/// Each change is all or nothing, and changes of the same nights do not deadlock.
#[tokio::test]
async fn overlapping_changes_of_nights_do_not_mix() {
    let desk = desk().await;
    desk.set_rate(1, rate("100")).await.unwrap();
    let changes = (1..=24).map(|number| {
        let price = if number % 4 == 0 { None } else { euros(&number.to_string()) };
        desk.set_nights(1, "2027-01-01", "2028-01-01", price)
    });
    for answer in join_all(changes).await {
        assert_eq!(answer.unwrap(), 365);
    }
    let nights = count(&desk, "select count(*) from nightly_price").await;
    let prices = count(&desk, "select count(distinct price_minor) from nightly_price").await;
    assert!((nights, prices) == (0, 0) || (nights, prices) == (365, 1), "{nights} nights of {prices} prices");
}

#[tokio::test]
async fn replacements_of_taxes_do_not_mix() {
    let desk = desk().await;
    let changes = (1..=12).map(|number| {
        let taxes = ["A", "B", "C"].map(|name| share(&format!("{name}{number}"), number));
        desk.set_taxes(taxes.to_vec())
    });
    for answer in join_all(changes).await {
        answer.unwrap();
    }
    assert_eq!(count(&desk, "select count(*) from tax").await, 3);
    assert_eq!(count(&desk, "select count(distinct basis_points) from tax").await, 1);
}
