//! A stateful fake of Stripe: sessions, intents, refunds, transfers and idempotency keys, over HTTP in the shapes of the
//! API reference, as far as the adapter uses them. A guest pays by a method call instead of a page.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
};
use jiff::Timestamp;
use reqwest::{Client, Url};
use serde_json::{Value, json};
use staymesh_testkit::TestMesh;
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{Answer, eventually, rest, signature};

type Fields = BTreeMap<String, String>;
type Reply = (u16, Value);

/// The fake, for one mesh.
pub(crate) struct Stripe {
    url: String,
    book: Arc<Mutex<Book>>,
    http: Client,
    webhook: String,
    secret: String,
}

/// All objects in the order of creation.
#[derive(Default)]
struct Book {
    sessions: Vec<Value>,
    intents: Vec<Value>,
    refunds: Vec<Value>,
    transfers: Vec<Value>,
    /// Request and response of each idempotency key.
    keys: HashMap<String, (Fields, Reply)>,
}

impl Stripe {
    /// Starts the server, which runs as long as the test.
    pub(crate) async fn start(mesh: &TestMesh) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let book = Arc::<Mutex<Book>>::default();
        let router = Router::new().fallback(answer).with_state(book.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let secret = mesh.local().secret("psp-webhook-secret").expect("a secret");
        let webhook = format!("{}/v1/webhooks/stripe", mesh.public_url());
        let http = rest::client(None);
        Self { url, book, http, webhook, secret }
    }

    /// Settings of a payment service that uses this fake.
    pub(crate) fn settings(&self) -> [(&'static str, &str); 3] {
        let page = "https://shop.staymesh.example/paid";
        [("STAYMESH_PSP", "stripe"), ("STAYMESH_PSP_URL", &self.url), ("STAYMESH_PSP_RETURN_URL", page)]
    }

    /// Expires all idempotency keys, as Stripe does after a day.
    pub(crate) fn forget_keys(&self) {
        lock(&self.book).keys.clear();
    }

    /// The sessions for a payment.
    pub(crate) fn sessions(&self, payment_id: &str) -> Vec<Value> {
        lock(&self.book).sessions.iter().filter(|made| made["client_reference_id"] == payment_id).cloned().collect()
    }

    /// The intents of a payment: its charges.
    pub(crate) fn intents(&self, payment_id: &str) -> Vec<Value> {
        lock(&self.book).intents.iter().filter(|made| made["metadata"]["payment_id"] == payment_id).cloned().collect()
    }

    /// The refunds of a payment.
    pub(crate) fn refunds(&self, payment_id: &str) -> Vec<Value> {
        lock(&self.book).refunds.iter().filter(|made| made["metadata"]["payment_id"] == payment_id).cloned().collect()
    }

    /// The transfers of a transfer group, which is our transfer id.
    pub(crate) fn transfers(&self, group: &str) -> Vec<Value> {
        lock(&self.book).transfers.iter().filter(|made| made["transfer_group"] == group).cloned().collect()
    }

    /// The guest pays an open session, and Stripe sends the event until it is accepted.
    pub(crate) async fn pay(&self, session: &str) {
        let paid = lock(&self.book).pay(session);
        let event = json!({
            "id": format!("evt_{}", Uuid::new_v4().simple()), "object": "event", "api_version": "2025-12-15.clover",
            "created": Timestamp::now().as_second(), "data": { "object": paid }, "livemode": false,
            "pending_webhooks": 1, "request": { "id": null, "idempotency_key": null },
            "type": "checkout.session.completed",
        });
        eventually("the event is taken", async || {
            let body = event.to_string();
            let signature = signature(&self.secret, Timestamp::now().as_second(), &body);
            let request = self.http.post(&self.webhook).header("stripe-signature", signature);
            let answer = Answer::to(request.header("content-type", "application/json").body(body)).await;
            answer.status.is_success().then_some(())
        })
        .await;
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fields(text: &str) -> Fields {
    let url = Url::parse(&format!("http://form/?{text}")).expect("a query");
    url.query_pairs().into_owned().collect()
}

/// Returns the stored response for a known idempotency key.
async fn answer(
    State(book): State<Arc<Mutex<Book>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, Json<Value>) {
    let fields = fields(if method == Method::GET { uri.query().unwrap_or_default() } else { &body });
    let mut book = lock(&book);
    let key = headers.get("idempotency-key").map(|key| key.to_str().expect("text").to_owned());
    let known = key.as_ref().and_then(|key| book.keys.get(key)).cloned();
    let (status, body) = match known {
        Some((before, reply)) if before == fields => reply,
        Some(_) => refusal("idempotency_error"),
        None => book.reply(&method, uri.path(), &fields),
    };
    if let Some(key) = key.filter(|_| status < 400) {
        book.keys.insert(key, (fields, (status, body.clone())));
    }
    (StatusCode::from_u16(status).expect("a status"), Json(body))
}

impl Book {
    fn reply(&mut self, method: &Method, path: &str, fields: &Fields) -> Reply {
        let path: Vec<&str> = path.split('/').skip(2).collect();
        match (method.as_str(), &path[..]) {
            ("POST", ["checkout", "sessions"]) => self.open(fields),
            ("GET", ["checkout", "sessions", id]) => self.shown(id),
            ("POST", ["checkout", "sessions", id, "expire"]) => self.expire(id),
            ("GET", ["refunds"]) => list(&self.refunds, "payment_intent", fields),
            ("POST", ["refunds"]) => self.refund(fields),
            ("GET", ["transfers"]) => list(&self.transfers, "transfer_group", fields),
            ("POST", ["transfers"]) => self.transfer(fields),
            _ => (404, json!({ "error": { "type": "invalid_request_error", "message": "no such thing" } })),
        }
    }

    fn open(&mut self, fields: &Fields) -> Reply {
        let id = format!("cs_test_{}", Uuid::new_v4().simple());
        let session = json!({
            "id": id, "object": "checkout.session", "url": format!("https://checkout.stripe.example/c/pay/{id}"),
            "amount_total": minor(&fields["line_items[0][price_data][unit_amount]"]),
            "currency": fields["line_items[0][price_data][currency]"],
            "client_reference_id": fields["client_reference_id"], "mode": "payment",
            "metadata": { "payment_id": fields["metadata[payment_id]"] }, "expires_at": minor(&fields["expires_at"]),
            "status": "open", "payment_status": "unpaid", "payment_intent": null,
        });
        self.sessions.push(session.clone());
        (200, session)
    }

    fn session(&mut self, id: &str) -> Option<&mut Value> {
        self.sessions.iter_mut().find(|session| session["id"] == id)
    }

    /// With its intent.
    fn shown(&mut self, id: &str) -> Reply {
        let Some(mut session) = self.session(id).cloned() else { return refusal("resource_missing") };
        if let Some(intent) = self.intents.iter().find(|intent| intent["id"] == session["payment_intent"]) {
            session["payment_intent"] = intent.clone();
        }
        (200, session)
    }

    fn expire(&mut self, id: &str) -> Reply {
        match self.session(id) {
            Some(session) if session["status"] == "open" => {
                session["status"] = json!("expired");
                session["url"] = Value::Null;
                (200, session.clone())
            }
            _ => refusal("resource_missing"),
        }
    }

    /// Returns the session as its event contains it.
    fn pay(&mut self, id: &str) -> Value {
        let intent = format!("pi_{}", Uuid::new_v4().simple());
        let session = self.session(id).expect("a session");
        assert_eq!(session["status"], "open");
        session["status"] = json!("complete");
        session["payment_status"] = json!("paid");
        session["payment_intent"] = json!(intent);
        session["url"] = Value::Null;
        let paid = session.clone();
        self.intents.push(json!({
            "id": intent, "object": "payment_intent", "status": "succeeded", "amount": paid["amount_total"],
            "amount_received": paid["amount_total"], "currency": paid["currency"], "metadata": paid["metadata"],
        }));
        paid
    }

    /// Stripe refuses refunds beyond the amount paid; a second partial refund is accepted.
    fn refund(&mut self, fields: &Fields) -> Reply {
        let (intent, amount) = (&fields["payment_intent"], minor(&fields["amount"]));
        let Some(paid) = self.intents.iter().find(|made| made["id"] == intent.as_str()) else {
            return refusal("resource_missing");
        };
        let before = self.refunds.iter().filter(|made| made["payment_intent"] == intent.as_str());
        let back: i64 = before.filter_map(|made| made["amount"].as_i64()).sum();
        if paid["amount"].as_i64().unwrap_or_default() < back + amount {
            return refusal("charge_already_refunded");
        }
        let refund = json!({
            "id": format!("re_{}", Uuid::new_v4().simple()), "object": "refund", "amount": amount,
            "currency": paid["currency"], "payment_intent": intent, "status": "succeeded",
            "metadata": {
                "payment_id": fields["metadata[payment_id]"], "refund_id": fields["metadata[refund_id]"],
            },
        });
        self.refunds.push(refund.clone());
        (200, refund)
    }

    fn transfer(&mut self, fields: &Fields) -> Reply {
        let transfer = json!({
            "id": format!("tr_{}", Uuid::new_v4().simple()), "object": "transfer", "amount": minor(&fields["amount"]),
            "currency": fields["currency"], "destination": fields["destination"], "reversed": false, "metadata": {},
            "transfer_group": fields["transfer_group"],
        });
        self.transfers.push(transfer.clone());
        (200, transfer)
    }
}

fn minor(text: &str) -> i64 {
    text.parse().expect("a number")
}

/// Newest first.
fn list(all: &[Value], of: &str, fields: &Fields) -> Reply {
    let data: Vec<&Value> = all.iter().rev().filter(|made| made[of] == fields[of].as_str()).collect();
    (200, json!({ "object": "list", "has_more": false, "data": data }))
}

fn refusal(code: &str) -> Reply {
    (400, json!({ "error": { "type": "invalid_request_error", "code": code, "message": "no" } }))
}
