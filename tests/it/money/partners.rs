//! Partner-collected sales: posted as owed at once, credited by the cancellation policy, never lost.

use serde_json::{Value, json};
use sqlx::PgPool;
use staymesh_devenv::Signal;

use crate::support::{
    HotelFixture, PrivateMesh, Rest, Stay, World, assert_no_dead_letters, database, eventually, operate,
};

pub(super) fn euros(amount: &str) -> Value {
    json!({ "currency_code": "EUR", "amount": amount })
}

/// An order of two nights for 220.00 EUR with taxes, whose money the partner collects.
pub(super) async fn order(world: &World<'_>, partner: &Rest, hotel: HotelFixture, stay: &Stay) -> Value {
    let mut order = world.prepare(partner, hotel, stay, 1).await;
    order["payment_mode"] = json!("PAYMENT_MODE_PARTNER_COLLECTS");
    order
}

/// Sells an [`order`]. Returns the id.
pub(super) async fn sell(world: &World<'_>, partner: &Rest, hotel: HotelFixture, stay: &Stay) -> String {
    let order = order(world, partner, hotel, stay).await;
    for _ in 0..2 {
        assert_eq!(partner.post("/v1/reservations", order.clone()).await.ok()["status"], "RESERVATION_STATUS_PAID");
    }
    order["reservation_id"].as_str().expect("an id").to_owned()
}

/// The lines of a partner's invoice.
async fn invoice(world: &World<'_>, name: &str) -> Vec<Value> {
    let answer = world.admin.get(&format!("/v1/partnerSales?client_id={name}")).await.ok();
    answer["sales"].as_array().expect("a list").clone()
}

pub(super) async fn await_line(world: &World<'_>, name: &str, id: &str, done: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("the invoice has {id}"), async || {
        let lines = invoice(world, name).await;
        let mut mine = lines.into_iter().filter(|line| line["reservation_id"] == id);
        let line = mine.next().filter(&done)?;
        assert_eq!(mine.next(), None, "once");
        Some(line)
    })
    .await
}

/// The balance of each account for a booking; zero balances are left out.
pub(super) async fn balances(pool: &PgPool, id: &str) -> Vec<(String, i64)> {
    sqlx::query_as(
        "select account.kind, sum(amount_minor)::bigint
         from ledger_transaction transaction join ledger_entry entry using (transaction_id)
         join ledger_account account using (account_id)
         where transaction.reservation_id = $1::uuid
         group by 1 having sum(amount_minor) <> 0 order by 1",
    )
    .bind(id)
    .fetch_all(pool)
    .await
    .expect("the ledger")
}

/// Client id of the partner that made a booking.
pub(super) async fn name_of(world: &World<'_>, id: &str) -> String {
    sqlx::query_scalar("select substr(owner, length('client:') + 1) from reservation where reservation_id = $1::uuid")
        .bind(id)
        .fetch_one(&database(world.mesh, "reservation").await)
        .await
        .expect("the booking")
}

pub(super) fn owned(rows: &[(&str, i64)]) -> Vec<(String, i64)> {
    rows.iter().map(|(kind, minor)| ((*kind).to_owned(), *minor)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn partner_sale_is_posted_as_owed_and_credited_on_cancellation() {
    let world = World::shared().await;
    let ledger = database(world.mesh, "payment").await;
    let (partner, hotel) = (world.partner().await, world.hotel_with_penalty(30).await);
    // 15 % of 200.00 is commission, 20.00 is taxes, the remainder is the hotel's.
    let owed = owned(&[
        ("COMMISSION_REVENUE", -3_000),
        ("HOTEL_PAYABLE", -17_000),
        ("PARTNER_RECEIVABLE", 22_000),
        ("TAX_PAYABLE", -2_000),
    ]);
    for (days, credited, left, rest) in [
        (30, "220.00", "0.00", vec![]),
        (
            1,
            "154.00",
            "66.00",
            owned(&[
                ("COMMISSION_REVENUE", -900),
                ("HOTEL_PAYABLE", -5_100),
                ("PARTNER_RECEIVABLE", 6_600),
                ("TAX_PAYABLE", -600),
            ]),
        ),
    ] {
        let stay = Stay::ahead(days, 2);
        let id = sell(&world, &partner, hotel, &stay).await;
        let name = name_of(&world, &id).await;
        let line = await_line(&world, &name, &id, |_| true).await;
        let expected = json!({
            "reservation_id": id, "hotel_id": hotel.hotel_id, "client_id": name, "check_out": stay.check_out,
            "amount": euros("220.00"), "taxes": euros("20.00"), "commission": euros("30.00"),
            "credited_amount": euros("0.00"), "owed_amount": euros("220.00"),
            "create_time": line["create_time"],
        });
        assert_eq!(line, expected);
        assert_eq!(balances(&ledger, &id).await, owed);

        for _ in 0..2 {
            partner.delete(&format!("/v1/reservations/{id}")).await.ok();
        }
        let line = await_line(&world, &name, &id, |line| !line["cancel_time"].is_null()).await;
        assert_eq!((&line["credited_amount"], &line["owed_amount"]), (&euros(credited), &euros(left)));
        assert_eq!(balances(&ledger, &id).await, rest);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partner_sale_events_are_delivered_after_payment_outage() {
    let mesh = PrivateMesh::start(vec![]).await;
    let world = World::on(&mesh).await;
    let (partner, hotel) = (world.partner().await, world.hotel_with_penalty(30).await);
    operate(&mesh, |local| local.service("payment")?.signal(Signal::STOP));
    let stay = Stay::ahead(30, 2);
    let hold = async || {
        let order = order(&world, &partner, hotel, &stay).await;
        let held = partner.post("/v1/reservations", order.clone()).await.ok();
        assert_eq!(
            held["status"], "RESERVATION_STATUS_PENDING_PAYMENT",
            "the rooms are held, and the sale not decided"
        );
        order["reservation_id"].as_str().expect("an id").to_owned()
    };
    let (kept, ended) = (hold().await, hold().await);
    partner.delete(&format!("/v1/reservations/{ended}")).await.ok();
    operate(&mesh, |local| local.service("payment")?.signal(Signal::CONT));

    let name = name_of(&world, &kept).await;
    await_line(&world, &name, &ended, |line| line["owed_amount"] == euros("0.00")).await;
    await_line(&world, &name, &kept, |line| line["owed_amount"] == euros("220.00")).await;
    eventually("the sale is confirmed", async || {
        let kept = partner.get(&format!("/v1/reservations/{kept}")).await.ok();
        (kept["status"] == "RESERVATION_STATUS_PAID").then_some(())
    })
    .await;
    let ledger = database(&mesh, "payment").await;
    assert_eq!(balances(&ledger, &ended).await, []);
    assert_no_dead_letters(&mesh).await;
}
