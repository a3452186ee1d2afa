//! A guest's walk through the public gateway over REST, checked at every step.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// Longest time until a payment or refund shows in the reservation.
const STATUS_TIMEOUT: Duration = Duration::from_secs(30);

/// Walks through a booking.
#[derive(Args)]
pub(crate) struct Smoke {
    /// The public gateway
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    public_url: String,
}

impl Smoke {
    pub(crate) async fn run(self) -> Result<()> {
        let http = Client::builder().timeout(Duration::from_secs(20)).build()?;
        let mut guest = Guest { http, public_url: self.public_url, token: None };
        guest.sign_up_and_log_in().await.context("signing up and logging in")?;
        let order = guest.prepare().await.context("finding a room")?;
        guest.book(&order).await.context("booking")?;
        guest.pay(&order.reservation_id).await.context("paying")?;
        guest.await_status(&order.reservation_id, "RESERVATION_STATUS_PAID").await?;
        println!("paid       {}", order.reservation_id);
        guest.cancel(&order.reservation_id).await.context("cancelling")?;
        guest.await_status(&order.reservation_id, "RESERVATION_STATUS_REFUNDED").await?;
        println!("refunded   {}", order.reservation_id);
        Ok(())
    }
}

struct Guest {
    http: Client,
    public_url: String,
    token: Option<String>,
}

/// What was prepared.
struct Order {
    reservation_id: String,
    offer_token: String,
    total: Value,
}

impl Guest {
    async fn sign_up_and_log_in(&mut self) -> Result<()> {
        let email = format!("guest-{}@staymesh.example", Uuid::new_v4().simple());
        let password = Uuid::new_v4().to_string();
        let account = json!({ "email": email, "password": password, "display_name": "A guest" });
        self.call(Method::POST, "/v1/users", Some(account)).await?;
        println!("signed up  {email}");
        let login = json!({ "email": email, "password": password });
        let tokens = self.call(Method::POST, "/v1/auth/login", Some(login)).await?;
        self.token = Some(text(&tokens, "access_token")?);
        println!("logged in");
        Ok(())
    }

    async fn prepare(&self) -> Result<Order> {
        let found = self.call(Method::GET, "/v1/hotels?page_size=1", None).await?;
        let hotel = &found["hotels"][0];
        let hotel_id = hotel["hotel_id"].as_i64().context("there are no hotels; load the demo data first")?;
        println!("found      {} in {}", hotel["display_name"], hotel["address"]["city"]);
        let (check_in, check_out) = nights();
        let path = format!("/v1/hotels/{hotel_id}/offers?check_in={check_in}&check_out={check_out}&occupancies=2");
        let offers = self.call(Method::GET, &path, None).await?;
        let offer = offers["offers"].as_array().and_then(|list| list.first()).context("there are no offers")?;
        println!("offered    {} for {}", offer["display_name"], offer["price"]["total"]["amount"]);
        let stay = json!({
            "hotel_id": hotel_id, "check_in": check_in, "check_out": check_out,
            "rooms": [{ "room_type_id": offer["room_type_id"], "adults": 2 }],
        });
        let form = self.call(Method::POST, "/v1/reservations:prepare", Some(stay)).await?;
        let order = Order {
            reservation_id: text(&form, "reservation_id")?,
            offer_token: text(&form, "offer_token")?,
            total: form["price"]["total"].clone(),
        };
        println!("prepared   {}", order.reservation_id);
        Ok(order)
    }

    async fn book(&self, order: &Order) -> Result<()> {
        let request = json!({
            "reservation_id": order.reservation_id,
            "offer_token": order.offer_token,
            "primary_guest": { "full_name": "A guest", "email": "guest@staymesh.example" },
        });
        let booked = self.call(Method::POST, "/v1/reservations", Some(request.clone())).await?;
        ensure!(booked["status"] == "RESERVATION_STATUS_PENDING_PAYMENT", "unexpected: {booked}");
        ensure!(booked["price"]["total"] == order.total, "another price than was offered: {booked}");
        println!("booked     held until {}", booked["hold_expire_time"]);
        let again = self.call(Method::POST, "/v1/reservations", Some(request)).await?;
        ensure!(again == booked, "the same request again got another answer: {again}");
        Ok(())
    }

    async fn pay(&self, reservation_id: &str) -> Result<()> {
        let request = json!({ "reservation_id": reservation_id });
        let payment = self.call(Method::POST, "/v1/payments", Some(request)).await?;
        let page = text(&payment, "checkout_url")?;
        let shown = self.http.get(&page).send().await?.error_for_status()?.text().await?;
        ensure!(shown.contains("<form"), "the checkout page has no form");
        println!("checkout   {page}");
        let paid = self.http.post(format!("{page}/pay")).form(&[("card_number", "4242424242424242")]).send().await?;
        paid.error_for_status().context("the checkout page refused the payment")?;
        Ok(())
    }

    async fn cancel(&self, reservation_id: &str) -> Result<()> {
        let cancelled = self.call(Method::DELETE, &format!("/v1/reservations/{reservation_id}"), None).await?;
        ensure!(cancelled["reservation_id"] == reservation_id, "unexpected: {cancelled}");
        println!("cancelled  {reservation_id}");
        Ok(())
    }

    async fn await_status(&self, reservation_id: &str, status: &str) -> Result<()> {
        let started = Instant::now();
        loop {
            let now = self.call(Method::GET, &format!("/v1/reservations/{reservation_id}"), None).await?;
            if now["status"] == status {
                return Ok(());
            }
            ensure!(started.elapsed() < STATUS_TIMEOUT, "still {} after {} s", now["status"], STATUS_TIMEOUT.as_secs());
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value> {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.public_url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer: Response = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = answer.status();
        let body: Value = answer.json().await.with_context(|| format!("{method} {path}: {status}, no JSON"))?;
        if !status.is_success() {
            bail!("{method} {path}: {status}: {body}");
        }
        Ok(body)
    }
}

/// Three nights in a month.
fn nights() -> (String, String) {
    let check_in = Timestamp::now().to_zoned(TimeZone::UTC).date().saturating_add(30.days());
    (check_in.to_string(), check_in.saturating_add(3.days()).to_string())
}

fn text(value: &Value, field: &str) -> Result<String> {
    value[field].as_str().map(str::to_owned).with_context(|| format!("no {field} in {value}"))
}
