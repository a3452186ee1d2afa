//! Payments, refunds and payouts through the edge (R15, R18, P3, P4): every scenario ends in one consistent state.

mod cancelled_changes;
mod changes;
mod check;
mod checkout_pages;
mod credit;
mod dead_letters;
mod departures;
mod faults;
mod hotel_cancellations;
mod late_payments;
mod no_shows;
mod partners;
mod payouts;
mod reconcile;
mod refunds;
mod status_page;
mod upgrade;
mod webhook;

use serde_json::Value;

use crate::support::{HotelFixture, Provider, Rest, Stay, World, await_payment, database, eventually, open_payment};

/// A booking of 300.00 EUR with an open checkout page, in a new hotel.
struct Sale {
    guest: Rest,
    hotel: HotelFixture,
    stay: Stay,
    reservation_id: String,
    payment: Value,
    /// Address of the status page.
    status_url: String,
}

/// The address of the status page of a payment.
async fn status_link(guest: &Rest, payment: &Value) -> String {
    let id = payment["payment_id"].as_str().expect("an id");
    let link = guest.get(&format!("/v1/payments/{id}/statusLink")).await.ok();
    link["url"].as_str().expect("an address").to_owned()
}

impl Sale {
    /// Three nights, 30 days ahead, not paid yet.
    async fn open(world: &World<'_>) -> Self {
        Self::open_at(world, world.hotel(5).await, Stay::ahead(30, 3)).await
    }

    async fn open_at(world: &World<'_>, hotel: HotelFixture, stay: Stay) -> Self {
        let guest = world.guest().await;
        let booked = world.book(&guest, hotel, &stay).await;
        let payment = open_payment(&guest, &booked).await;
        assert_eq!(payment["status"], "PAYMENT_STATUS_PENDING");
        let reservation_id = booked["reservation_id"].as_str().expect("an id").to_owned();
        let status_url = status_link(&guest, &payment).await;
        Self { guest, hotel, stay, reservation_id, payment, status_url }
    }

    /// A sale that is paid on the provider's checkout page.
    async fn paid(world: &World<'_>, provider: &Provider) -> Self {
        Self::open(world).await.pay(world, provider).await
    }

    async fn pay(self, world: &World<'_>, provider: &Provider) -> Self {
        assert_eq!(provider.use_card(&self.payment, crate::support::GOOD_CARD).await, 200);
        self.await_status(world, "PAID").await;
        await_payment(&self.guest, &self.payment, "PAID").await;
        self
    }

    fn payment_id(&self) -> &str {
        self.payment["payment_id"].as_str().expect("an id")
    }

    async fn await_status(&self, world: &World<'_>, status: &str) -> Value {
        world.await_status(&self.guest, &self.reservation_id, status).await
    }

    async fn status(&self) -> String {
        let now = self.guest.get(&format!("/v1/reservations/{}", self.reservation_id)).await.ok();
        now["status"].as_str().expect("a status").trim_start_matches("RESERVATION_STATUS_").to_owned()
    }

    async fn cancel(&self) -> Value {
        self.guest.delete(&format!("/v1/reservations/{}", self.reservation_id)).await.ok()
    }

    /// `total_reserved` of each night of the stay.
    async fn rooms_taken(&self, world: &World<'_>) -> Vec<i64> {
        let query = format!("inventory?from_date={}&until_date={}", self.stay.check_in, self.stay.check_out);
        let nights = world.admin.get(&self.hotel.path(&query)).await.ok();
        let nights = nights["nights"].as_array().expect("nights").iter();
        nights.map(|night| night["total_reserved"].as_i64().expect("a count")).collect()
    }

    /// Waits until the outboxes of both services hold no undelivered event about this booking and its payment.
    async fn await_all_delivered(&self, world: &World<'_>) {
        for (service, aggregate) in [("reservation", self.reservation_id.as_str()), ("payment", self.payment_id())] {
            let pool = database(world.mesh, service).await;
            eventually(&format!("all events about {aggregate} are delivered"), async || {
                let waiting: i64 = sqlx::query_scalar(
                    "select count(*) from outbox
                     where aggregate_id = $1::uuid and delivered_at is null and parked_at is null",
                )
                .bind(aggregate)
                .fetch_one(&pool)
                .await
                .expect("the outbox");
                (waiting == 0).then_some(())
            })
            .await;
        }
    }
}
