//! Provider responses that are late, repeated, out of order or lost: every operation takes effect once.

use futures::future::join_all;
use serde_json::{Value, json};
use staymesh_devenv::{Link, Proxy};

use super::{
    outcome::{self, Outcome},
    payout, restart,
    scenario::{EVENTS_LOST, Scenario, UNHEARD},
    shop::{PRICE, Sale, Shop, settings},
};
use crate::support::{PrivateMesh, eventually, operate};

/// The fault of a response. The provider has executed the request in all cases but the last.
const ASTRAY: [(&str, &[Link]); 4] = [
    ("late", &[Link::Late, Link::Healthy]),
    ("never", &[Link::Late, Link::Broken, Link::Healthy]),
    ("cut off", &[Link::Cut, Link::Healthy]),
    ("not even asked", &[Link::Silent, Link::Broken, Link::Healthy]),
];

/// The link from the payment service to the provider.
struct Wire<'a> {
    shop: &'a Shop<'a>,
    link: Proxy,
    /// Whether the provider delivers events. Without them the service knows only the responses.
    events: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_late_or_repeated_provider_response_leaves_one_charge_and_one_refund() {
    let mesh = PrivateMesh::start(settings()).await;
    let shop = Shop::on(&mesh).await;
    let provider = mesh.service_url("psp-simulator").expect("an address");
    let provider = provider.trim_start_matches("http://").parse().expect("an address");
    for events in [true, false] {
        let wire = Wire { shop: &shop, link: Proxy::start(provider).expect("a link"), events };
        wire.restart(&[]);
        for (how, links) in ASTRAY {
            wire.open(links, &format!("opening, {how}, events: {events}")).await;
            wire.close(links, &format!("closing, {how}, events: {events}")).await;
            wire.pay_back(links, &format!("paying back, {how}, events: {events}")).await;
        }
        // From here on the provider answers in time, on a busy machine as well.
        wire.restart(&[("STAYMESH_PSP_TIMEOUT", "8s")]);
        wire.open_twice().await;
        wire.pay_back_twice().await;
        operate(&mesh, |local| restart(local, "payment", &[]));
    }
    shop.books.assert_balanced().await;
}

impl Wire<'_> {
    /// Starts the payment service with this link to its provider.
    fn restart(&self, settings: &[(&str, &str)]) {
        let url = format!("http://{}", self.link.address());
        let own: &[(&str, &str)] = if self.events { &[] } else { &UNHEARD };
        let settings: Vec<_> = [&[("STAYMESH_PSP_URL", url.as_str())], own, settings].concat();
        operate(self.shop.mesh(), |local| restart(local, "payment", &settings));
    }

    fn simulate(&self) -> &'static str {
        if self.events { "" } else { EVENTS_LOST }
    }

    async fn sale(&self) -> Sale {
        self.shop.open(&self.shop.book().await, self.simulate()).await
    }

    /// Whether the provider executes the request.
    fn arrives(links: &[Link]) -> bool {
        links[0] != Link::Silent
    }

    /// Waits until the provider has executed a request that arrives; one that does not is never executed. On a busy machine
    /// the service gives up before the provider has begun.
    async fn assert_executed(links: &[Link], what: &str, executed: impl Fn() -> bool) {
        if Self::arrives(links) {
            eventually(what, async || executed().then_some(())).await;
        } else {
            assert!(!executed(), "{what}");
        }
    }

    fn mend(&self, links: &[Link]) {
        links[1..].iter().for_each(|link| self.link.set(*link));
    }

    async fn open(&self, links: &[Link], what: &str) {
        let booked = self.shop.book().await;
        let id = booked["reservation_id"].as_str().expect("an id");
        let opened = || !self.shop.checkouts(id).is_empty();
        self.link.set(links[0]);
        // On a busy machine the service gives up before the provider has begun, which then drops the request, or it does not
        // come to ask because another service is late.
        eventually(what, async || {
            let answer = self.shop.ask_for_page(&booked, self.simulate()).await;
            assert_eq!(answer.status, 503, "{what}: {}", answer.body);
            (answer.reason() == Some("PSP_UNAVAILABLE") && (opened() || !Self::arrives(links))).then_some(())
        })
        .await;
        assert_eq!(opened(), Self::arrives(links), "{what}");
        self.mend(links);
        let sale = self.shop.open(&booked, self.simulate()).await;
        self.shop.use_good_card(&sale).await;
        self.assert_ended(Scenario::Paid, &sale, what).await;
    }

    async fn close(&self, links: &[Link], what: &str) {
        let sale = self.sale().await;
        self.link.set(links[0]);
        self.shop.cancel(&sale).await;
        self.await_failure("reservation", &sale.reservation_id).await;
        let expired = || self.shop.checkouts(&sale.reservation_id)[0]["status"] == "expired";
        Self::assert_executed(links, what, expired).await;
        self.mend(links);
        self.assert_ended(Scenario::Left, &sale, what).await;
    }

    async fn pay_back(&self, links: &[Link], what: &str) {
        let sale = self.sale().await;
        self.shop.pay(&sale).await;
        self.link.set(links[0]);
        self.shop.cancel(&sale).await;
        self.await_failure("payment", sale.payment_id()).await;
        Self::assert_executed(links, what, || self.refunds(&sale) == 1).await;
        self.mend(links);
        self.assert_ended(Scenario::Cancelled, &sale, what).await;
    }

    /// Many concurrent copies of the same guest request.
    async fn open_twice(&self) {
        let booked = self.shop.book().await;
        let sales = join_all((0..5).map(|_| self.shop.open(&booked, self.simulate()))).await;
        let pages: Vec<Value> = sales.into_iter().map(|sale| sale.payment["checkout_url"].clone()).collect();
        assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
        let sale = self.shop.open(&booked, self.simulate()).await;
        self.shop.use_good_card(&sale).await;
        self.assert_ended(Scenario::Paid, &sale, "opening many times at once").await;
    }

    /// Two relays request the same refund concurrently, and the provider answers both.
    async fn pay_back_twice(&self) {
        let sale = self.sale().await;
        self.shop.pay(&sale).await;
        self.link.set(Link::Late);
        self.shop.cancel(&sale).await;
        eventually("the provider has paid back", async || (self.refunds(&sale) == 1).then_some(())).await;
        self.shop.end_leases("payment").await;
        eventually("the refund is asked for again", async || {
            let attempts: i32 = sqlx::query_scalar(
                "select attempts from outbox where aggregate_id = $1::uuid and kind = 'refund.requested'",
            )
            .bind(sale.payment_id())
            .fetch_one(self.shop.payments())
            .await
            .expect("the outbox");
            (attempts >= 2).then_some(())
        })
        .await;
        self.link.set(Link::Healthy);
        self.assert_ended(Scenario::Cancelled, &sale, "paying back twice at once").await;
    }

    /// Waits until a delivery about this payment or booking has failed.
    async fn await_failure(&self, service: &str, aggregate: &str) {
        eventually(&format!("{service} could not tell of {aggregate}"), async || {
            let failed: i64 = sqlx::query_scalar(
                "select count(*) from outbox
                 where aggregate_id = $1::uuid and delivered_at is null and last_error is not null",
            )
            .bind(aggregate)
            .fetch_one(self.shop.database(service))
            .await
            .expect("the outbox");
            (failed == 1).then_some(())
        })
        .await;
    }

    /// Number of refunds at the provider.
    fn refunds(&self, sale: &Sale) -> usize {
        self.shop.checkouts(&sale.reservation_id)[0]["refunds"].as_array().map_or(0, Vec::len)
    }

    /// Pays out one sale of a new hotel while the response to the transfer is faulty.
    async fn pay_hotel(&self, links: &[Link], what: &str) {
        let shop = self.shop;
        self.link.set(links[0]);
        assert_eq!(payout::job(shop, ""), None, "{what}");
        let (payout_id, transfer_id): (String, String) = sqlx::query_as(
            "select payout_id::text, transfer_id::text from pay_out join pay_out_transfer using (payout_id)
             where hotel_id = $1",
        )
        .bind(shop.hotel_id())
        .fetch_one(shop.payments())
        .await
        .expect("one transfer");
        self.await_failure("payment", &payout_id).await;
        Self::assert_executed(links, what, || payout::transfers(shop, &transfer_id).len() == 1).await;
        self.mend(links);
        payout::assert_paid_once(shop, what).await;
        // Nothing is payable, and no further transfer is requested.
        assert_eq!(payout::job(shop, ""), None, "{what}");
        payout::assert_paid_once(shop, what).await;
        println!("{what}: the hotel is paid once");
    }

    async fn assert_ended(&self, scenario: Scenario, sale: &Sale, what: &str) {
        let end = scenario.end();
        let events: &[&str] = if self.events { end.events } else { &[] };
        outcome::assert_is(self.shop, sale, &Outcome { events, ..end }, what).await;
        println!("{what}: {scenario:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_late_or_repeated_transfer_response_pays_hotel_once() {
    let mesh = PrivateMesh::start(settings()).await;
    let mut shop = Shop::on(&mesh).await;
    let provider = mesh.service_url("psp-simulator").expect("an address");
    let provider = provider.trim_start_matches("http://").parse().expect("an address");
    for events in [true, false] {
        for (how, links) in ASTRAY {
            let what = format!("paying a hotel, {how}, events: {events}");
            operate(&mesh, |local| {
                restart(local, "psp-simulator", &[])?;
                restart(local, "payment", &[])
            });
            payout::owe(&mut shop, &what).await;
            if !events {
                operate(&mesh, |local| restart(local, "psp-simulator", &payout::DEAF));
            }
            let wire = Wire { shop: &shop, link: Proxy::start(provider).expect("a link"), events };
            wire.restart(&[]);
            wire.pay_hotel(links, &what).await;
        }
    }
    super::assert_clean(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provider_events_in_any_order_leave_one_charge_and_one_refund() {
    const KINDS: [&str; 3] = ["checkout.expired", "checkout.paid", "refund.succeeded"];
    let mesh = PrivateMesh::start(settings()).await;
    let shop = Shop::on(&mesh).await;
    for scenario in [Scenario::TooLate, Scenario::Reopened] {
        let sale = scenario.run(&shop).await;
        scenario.assert_ended(&shop, &sale, "paid after the end").await;
    }

    // From here on the provider's own events are lost; the test sends them in any order and twice.
    operate(&mesh, |local| restart(local, "payment", &UNHEARD));
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let sale = Scenario::CancelledUnheard.run(&shop).await;
        shop.await_state(&sale, "REFUNDED", "refunded").await;
        for kind in order.map(|at| KINDS[at]) {
            let event = event(&shop, &sale, kind).await;
            join_all([shop.tell(&event), shop.tell(&event)]).await;
        }
        let end = Outcome { events: &KINDS, ..Scenario::Cancelled.end() };
        outcome::assert_is(&shop, &sale, &end, &format!("events in the order {order:?}")).await;
    }
}

/// An event in the format of the provider.
async fn event(shop: &Shop<'_>, sale: &Sale, kind: &str) -> Value {
    let mut event = shop.provider.event(kind, &sale.payment).await;
    if kind == "refund.succeeded" {
        let refund = &shop.checkouts(&sale.reservation_id)[0]["refunds"][0];
        let reference = &refund["order"]["reference"];
        event["data"]["refund"] = json!({ "id": refund["id"], "amount_minor": PRICE, "reference": reference });
    }
    event
}
