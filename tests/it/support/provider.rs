//! The payment provider: its checkout page for guests, and its events, genuine or forged.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};
use sha2::Sha256;
use sqlx::PgPool;
use staymesh_testkit::TestMesh;
use uuid::Uuid;

use super::{Answer, Rest, database, eventually, rest};

/// Test cards: success, manual review, final decline, decline with another attempt, and 3-D Secure.
pub(crate) const GOOD_CARD: &str = "4242 4242 4242 4242";
pub(crate) const REVIEWED_CARD: &str = "4000 0000 0000 9235";
pub(crate) const DECLINED_CARD: &str = "4000 0000 0000 0002";
pub(crate) const POOR_CARD: &str = "4000 0000 0000 9995";
pub(crate) const CHALLENGED_CARD: &str = "4000 0000 0000 3220";

/// The state of the provider, and its secrets.
pub(crate) struct Provider {
    http: Client,
    webhook: String,
    secret: String,
    /// The payment database.
    pub(crate) pool: PgPool,
}

/// A payment in the payment database.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct PaymentRow {
    pub(crate) payment_id: Uuid,
    pub(crate) status: String,
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    pub(crate) psp_session: Option<String>,
    pub(crate) refund_requested_minor: i64,
    pub(crate) refunded_minor: i64,
}

impl Provider {
    pub(crate) async fn of(mesh: &TestMesh) -> Self {
        // A separate statement: the mesh stays locked until its end.
        let secret = mesh.local().secret("psp-webhook-secret").expect("a secret");
        Self {
            http: rest::client(None),
            webhook: format!("{}/v1/webhooks/simulator", mesh.public_url()),
            secret,
            pool: database(mesh, "payment").await,
        }
    }

    /// Pays on the checkout page with this card. Returns the HTTP status: 200 paid, 402 declined, 410 closed.
    pub(crate) async fn use_card(&self, payment: &Value, card: &str) -> u16 {
        self.press(payment, "pay", ("card_number", card)).await
    }

    /// Answers the 3-D Secure challenge. Returns the HTTP status of the page.
    pub(crate) async fn answer_challenge(&self, payment: &Value, decision: &str) -> u16 {
        self.press(payment, "challenge", ("decision", decision)).await
    }

    /// Decides a payment in review. Returns the HTTP status of the page.
    pub(crate) async fn decide(&self, payment: &Value, decision: &str) -> u16 {
        self.press(payment, "review", ("decision", decision)).await
    }

    async fn press(&self, payment: &Value, verb: &str, field: (&str, &str)) -> u16 {
        let page = payment["checkout_url"].as_str().expect("a page");
        self.http.post(format!("{page}/{verb}")).form(&[field]).send().await.expect("an answer").status().as_u16()
    }

    /// An event about a payment in the format of the provider.
    pub(crate) async fn event(&self, kind: &str, payment: &Value) -> Value {
        let row = self.row(payment).await;
        json!({
            "id": format!("evt_{}", Uuid::new_v4().simple()), "type": kind, "created": Timestamp::now().as_second(),
            "data": {
                "session": row.psp_session, "reference": row.payment_id,
                "amount_minor": row.amount_minor, "currency": row.currency,
            },
        })
    }

    /// The signature header of an event signed now.
    pub(crate) fn sign(&self, body: &str) -> String {
        signature(&self.secret, Timestamp::now().as_second(), body)
    }

    /// The signature header of an event signed at this offset from now, in seconds.
    pub(crate) fn sign_at(&self, offset: i64, body: &str) -> String {
        signature(&self.secret, Timestamp::now().as_second() + offset, body)
    }

    /// Sends a genuine event.
    pub(crate) async fn tell(&self, event: &Value) -> Answer {
        let body = event.to_string();
        let signature = self.sign(&body);
        self.send(&body, Some(&signature)).await
    }

    /// Sends an event with any signature.
    pub(crate) async fn send(&self, body: &str, signature: Option<&str>) -> Answer {
        let mut request = self.http.post(&self.webhook).header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header("psp-signature", signature);
        }
        Answer::to(request.body(body.to_owned())).await
    }

    /// A payment as the database has it.
    pub(crate) async fn row(&self, payment: &Value) -> PaymentRow {
        sqlx::query_as(
            "select payment_id, status, amount_minor, currency, psp_session, refund_requested_minor, refunded_minor
             from payment_order where payment_id = $1::uuid",
        )
        .bind(payment["payment_id"].as_str())
        .fetch_one(&self.pool)
        .await
        .expect("the payment")
    }

    /// Number of outbox events of this kind about a payment.
    pub(crate) async fn count_events(&self, payment: &Value, kind: &str) -> i64 {
        sqlx::query_scalar("select count(*) from outbox where aggregate_id = $1::uuid and kind = $2")
            .bind(payment["payment_id"].as_str())
            .bind(kind)
            .fetch_one(&self.pool)
            .await
            .expect("the outbox")
    }
}

/// Opens the payment page of a reservation.
pub(crate) async fn open_payment(guest: &Rest, reservation: &Value) -> Value {
    guest.post_until_answered("/v1/payments", json!({ "reservation_id": reservation["reservation_id"] })).await
}

/// Waits until a payment has this status (without its prefix), and returns it.
pub(crate) async fn await_payment(guest: &Rest, payment: &Value, status: &str) -> Value {
    let path = format!("/v1/payments/{}", payment["payment_id"].as_str().expect("an id"));
    let wanted = format!("PAYMENT_STATUS_{status}");
    eventually(&format!("{path} is {status}"), async || {
        let now = guest.get(&path).await.ok();
        (now["status"] == wanted.as_str()).then_some(now)
    })
    .await
}

/// `t=UNIX,v1=HEX`, an HMAC-SHA256 of `UNIX.BODY`.
pub(crate) fn signature(secret: &str, unix: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("keys of any length");
    mac.update(format!("{unix}.{body}").as_bytes());
    format!("t={unix},v1={}", hex::encode(mac.finalize().into_bytes()))
}
