mod invalid_fields;
mod partner_sales;
mod refunds;
mod status_page;

use std::sync::Arc;

use jiff::Timestamp;
use rstest::rstest;
use serde_json::json;
use sqlx::PgPool;
use staymesh_api::{
    google::api::HttpBody,
    payment::v1::{
        CreatePaymentRequest, GetPaymentRequest, ListPaymentsRequest, PaymentStatus, ReceivePspEventRequest,
        RefundPaymentRequest, SettleCancellationRequest, payment_admin_service_server::PaymentAdminService,
        payment_flow_service_server::PaymentFlowService, payment_service_server::PaymentService,
        psp_webhook_service_server::PspWebhookService,
    },
    r#type::v1::Money,
};
use staymesh_mesh::{Caller, Problem, Reason, auth::Role};
use staymesh_psp::{Checkout, CheckoutStatus, Provider, PspError};
use tonic::{Request, Status as RpcStatus};
use tonic_types::StatusExt;

use super::{InternalPaymentHandler, PaymentAdminHandler, PaymentHandler, WebhookHandler};
use crate::{
    clients::reservations::MockReservationClient,
    model::{Payment, Status},
    service::Payments,
    testing::{MockPsp, booking, caller, database, in_status, now, open, outbox, reads, service, session_of, sign},
};

const OLD: &str = "the old secret of the webhook";
const NEW: &str = "the new secret of the webhook";

fn payments(pool: &PgPool) -> Arc<Payments<MockPsp>> {
    Arc::new(service(pool, reads(booking()), MockPsp::new()))
}

fn webhook(pool: &PgPool) -> WebhookHandler<MockPsp> {
    WebhookHandler { payments: payments(pool), provider: Provider::Simulator, secrets: vec![NEW.into(), OLD.into()] }
}

fn by<T>(caller: &Caller, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller.clone());
    request
}

fn signed(header: Option<&str>, body: &[u8]) -> Request<ReceivePspEventRequest> {
    let body = HttpBody { content_type: "application/json".into(), data: body.to_vec(), extensions: vec![] };
    let mut request = Request::new(ReceivePspEventRequest { body: Some(body), provider: "simulator".into() });
    if let Some(header) = header {
        request.metadata_mut().insert("psp-signature", header.parse().unwrap());
    }
    request
}

fn paid(payment: &Payment) -> Vec<u8> {
    let event = json!({ "id": "evt_1", "type": "checkout.paid", "created": 1, "data": {
        "session": session_of(payment.payment_id), "reference": payment.payment_id,
        "amount_minor": 10_000, "currency": "EUR",
    }});
    event.to_string().into_bytes()
}

fn fields(status: &RpcStatus) -> Vec<String> {
    assert_eq!(Problem::reason_of(status), Some(Reason::InvalidField), "{status}");
    status.get_details_bad_request().unwrap().field_violations.into_iter().map(|violation| violation.field).collect()
}

#[tokio::test]
async fn event_signed_with_either_secret_is_accepted() {
    for secret in [OLD, NEW] {
        let database = database().await;
        let payment = open(database.pool()).await;
        let body = paid(&payment);
        let header = sign(secret, Timestamp::now().as_second(), &body);
        for _ in 0..2 {
            webhook(database.pool()).receive_psp_event(signed(Some(&header), &body)).await.unwrap();
        }
        assert_eq!(now(database.pool(), payment.payment_id).await.status, Status::Paid);
        assert_eq!(outbox(database.pool()).await, ["payment.paid"]);
    }
}

#[tokio::test]
async fn webhook_reads_only_the_signature_header_of_its_provider() {
    let database = database().await;
    let (body, now) = (br#"{"id":"evt_1","type":"customer.created"}"#, Timestamp::now().as_second());
    let signature = sign(NEW, now, body);
    for (provider, header, taken) in [
        (Provider::Simulator, "psp-signature", true),
        (Provider::Simulator, "stripe-signature", false),
        (Provider::Stripe, "stripe-signature", true),
        (Provider::Stripe, "psp-signature", false),
    ] {
        let mut request = signed(None, body);
        provider.name().clone_into(&mut request.get_mut().provider);
        request.metadata_mut().insert(header, signature.parse().unwrap());
        let webhook = WebhookHandler { provider, ..webhook(database.pool()) };
        let refused = webhook.receive_psp_event(request).await.err();
        let reason = refused.as_ref().and_then(Problem::reason_of);
        assert_eq!(reason, (!taken).then_some(Reason::WebhookSignatureInvalid), "{provider:?} {header}");
    }
}

#[tokio::test]
async fn event_at_the_webhook_of_another_provider_is_refused_and_not_stored() {
    let database = database().await;
    let payment = open(database.pool()).await;
    let body = paid(&payment);
    let header = sign(NEW, Timestamp::now().as_second(), &body);
    for other in ["stripe", "psp", "Simulator", "simulator ", ""] {
        let mut request = signed(Some(&header), &body);
        other.clone_into(&mut request.get_mut().provider);
        let error = webhook(database.pool()).receive_psp_event(request).await.unwrap_err();
        assert_eq!(Problem::reason_of(&error), Some(Reason::WebhookNotFound), "{other}");
    }
    let stored: i64 = sqlx::query_scalar("select count(*) from psp_event").fetch_one(database.pool()).await.unwrap();
    assert_eq!((stored, now(database.pool(), payment.payment_id).await), (0, payment));
}

#[tokio::test]
async fn event_with_invalid_signature_or_age_is_refused() {
    let database = database().await;
    let payment = open(database.pool()).await;
    let body = paid(&payment);
    let at = |offset: i64| sign(NEW, Timestamp::now().as_second() + offset, &body);
    let other_secret = sign("a secret of another endpoint", Timestamp::now().as_second(), &body);
    let other_body = sign(NEW, Timestamp::now().as_second(), b"{}");
    for (header, reason) in [
        (None, Reason::WebhookSignatureInvalid),
        (Some("nonsense".to_owned()), Reason::WebhookSignatureInvalid),
        (Some(other_secret), Reason::WebhookSignatureInvalid),
        (Some(other_body), Reason::WebhookSignatureInvalid),
        (Some(at(-330)), Reason::WebhookTooOld),
        (Some(at(330)), Reason::WebhookTooOld),
    ] {
        let error = webhook(database.pool()).receive_psp_event(signed(header.as_deref(), &body)).await.unwrap_err();
        assert_eq!(Problem::reason_of(&error), Some(reason), "{header:?}");
    }
    let huge = vec![b' '; 64 * 1024 + 1];
    let header = sign(NEW, Timestamp::now().as_second(), &huge);
    let error = webhook(database.pool()).receive_psp_event(signed(Some(&header), &huge)).await.unwrap_err();
    assert_eq!(Problem::reason_of(&error), Some(Reason::RequestTooLarge));
    let bare = Request::new(ReceivePspEventRequest { body: None, provider: "simulator".into() });
    let error = webhook(database.pool()).receive_psp_event(bare).await.unwrap_err();
    assert_eq!(Problem::reason_of(&error), Some(Reason::WebhookSignatureInvalid));
    assert_eq!(now(database.pool(), payment.payment_id).await, payment);
}

#[rstest]
#[case::owner("guest-1", Role::Guest, &[], true)]
#[case::another_guest("guest-2", Role::Guest, &[7], false)]
#[case::a_partner("client:x", Role::Partner, &[], false)]
#[case::staff_of_the_hotel("staff", Role::Staff, &[7], true)]
#[case::staff_of_another("staff", Role::Staff, &[8], false)]
#[case::an_administrator("admin", Role::Admin, &[], true)]
#[tokio::test]
async fn get_payment_is_limited_to_owner_hotel_staff_and_administrators(
    #[case] subject: &str,
    #[case] role: Role,
    #[case] hotels: &[i32],
    #[case] sees: bool,
) {
    let database = database().await;
    let payment = open(database.pool()).await;
    let request = GetPaymentRequest { payment_id: payment.payment_id.to_string() };
    match PaymentHandler(payments(database.pool())).get_payment(by(&caller(subject, role, hotels), request)).await {
        Ok(answer) => {
            let shown = answer.into_inner();
            assert!(sees);
            assert_eq!(shown.status(), PaymentStatus::Pending);
            assert_eq!(Some(shown.checkout_url), payment.checkout_url);
            assert_eq!(shown.amount, Some(Money { currency_code: "EUR".into(), amount: "100.00".into() }));
        }
        Err(error) => {
            assert!(!sees);
            assert_eq!(Problem::reason_of(&error), Some(Reason::PaymentNotFound));
        }
    }
}

#[tokio::test]
async fn get_payment_returns_checkout_url_only_while_pending() {
    let database = database().await;
    for status in Status::ALL {
        let payment = in_status(database.pool(), status).await;
        let request = GetPaymentRequest { payment_id: payment.payment_id.to_string() };
        let answer = PaymentHandler(payments(database.pool()))
            .get_payment(by(&caller("guest-1", Role::Guest, &[]), request))
            .await
            .unwrap();
        let shown = answer.into_inner();
        // 40.00 of 100.00 are refunded.
        let name = if status == Status::Refunded { "PARTIALLY_REFUNDED" } else { status.as_str() };
        assert_eq!(shown.status().as_str_name(), format!("PAYMENT_STATUS_{name}"));
        assert_eq!(shown.checkout_url.is_empty(), status != Status::Pending);
    }
}

#[tokio::test]
async fn create_payment_with_return_url_refused_by_provider_names_the_field_and_leaves_no_open_payment() {
    let database = database().await;
    let mut reservations = MockReservationClient::new();
    reservations.expect_get().returning(|_| Ok(Some(booking())));
    let mut psp = MockPsp::new();
    psp.expect_create_checkout().returning(|order| {
        let refused = order.return_url.ends_with("?x");
        let checkout = Checkout {
            session: format!("cs_{}", order.payment_id),
            url: "https://psp.example/p".into(),
            status: CheckoutStatus::Open,
            amount: order.amount,
        };
        Box::pin(async move { if refused { Err(PspError::ReturnUrl) } else { Ok(checkout) } })
    });
    let handler = PaymentHandler(Arc::new(service(database.pool(), reservations, psp)));
    let reservation_id = crate::testing::reservation_id().to_string();
    let guest = caller("guest-1", Role::Guest, &[]);
    let create = |return_url: &str| {
        let create =
            CreatePaymentRequest { reservation_id: reservation_id.clone(), return_url: return_url.into(), revision: 0 };
        handler.create_payment(by(&guest, create))
    };
    let open = async || -> i64 {
        let sql = "select count(*) from payment_order where status = 'PENDING'";
        sqlx::query_scalar(sql).fetch_one(database.pool()).await.unwrap()
    };
    assert_eq!(fields(&create("https://shop.example/?x").await.unwrap_err()), ["return_url"]);
    assert_eq!((open().await, outbox(database.pool()).await), (0, vec![]));
    let paid = create("https://shop.example/").await.unwrap().into_inner();
    assert_eq!((open().await, paid.checkout_url.as_str()), (1, "https://psp.example/p"));
}

#[tokio::test]
async fn invalid_fields_are_named_before_any_call() {
    let database = database().await;
    let payments = payments(database.pool());
    let guest = caller("guest-1", Role::Guest, &[]);
    let create =
        CreatePaymentRequest { reservation_id: "x".into(), return_url: "javascript:alert(1)".into(), revision: 0 };
    assert_eq!(
        fields(&PaymentHandler(payments.clone()).create_payment(by(&guest, create)).await.unwrap_err()),
        ["reservation_id", "return_url"]
    );
    let create = CreatePaymentRequest {
        reservation_id: uuid::Uuid::now_v7().to_string(),
        return_url: String::new(),
        revision: 0,
    };
    assert_eq!(
        fields(&PaymentHandler(payments.clone()).create_payment(by(&guest, create)).await.unwrap_err()),
        ["reservation_id"]
    );
    let get = GetPaymentRequest { payment_id: "'; drop table refund".into() };
    assert_eq!(
        fields(&PaymentHandler(payments.clone()).get_payment(by(&guest, get)).await.unwrap_err()),
        ["payment_id"]
    );
    let settle = SettleCancellationRequest {
        reservation_id: crate::testing::reservation_id().to_string(),
        refund: None,
        partner_sale: None,
        hold_expired: false,
    };
    assert_eq!(
        fields(&InternalPaymentHandler(payments.clone()).settle_cancellation(Request::new(settle)).await.unwrap_err()),
        ["refund"]
    );
    let admin = caller("admin", Role::Admin, &[]);
    let id = open(database.pool()).await.payment_id.to_string();
    let money = |amount: &str| Some(Money { currency_code: "EUR".into(), amount: amount.into() });
    let request_id = uuid::Uuid::now_v7().to_string();
    for (payment_id, amount, request_id, field) in [
        ("x", None, request_id.as_str(), "payment_id"),
        (&id, money("0"), &request_id, "amount.amount"),
        (&id, money("-1"), &request_id, "amount.amount"),
        (&id, money("1.001"), &request_id, "amount.amount"),
        (&id, None, "", "request_id"),
    ] {
        let (payment_id, request_id) = (payment_id.to_owned(), request_id.to_owned());
        let refund = RefundPaymentRequest { payment_id, amount, request_id, goodwill: false };
        assert_eq!(
            fields(&PaymentAdminHandler(payments.clone()).refund_payment(by(&admin, refund)).await.unwrap_err()),
            [field]
        );
    }
}

#[tokio::test]
async fn list_payments_pages_through_one_hotel_newest_first() {
    let database = database().await;
    let payments = payments(database.pool());
    let mut made = Vec::new();
    for status in [Status::Paid, Status::Pending, Status::Paid, Status::Expired, Status::Paid] {
        made.push(in_status(database.pool(), status).await);
    }
    let staff = caller("staff", Role::Staff, &[7]);
    let ask = async |status: PaymentStatus, page_token: String| {
        let request = ListPaymentsRequest { hotel_id: 7, status: status.into(), page_size: 2, page_token };
        PaymentAdminHandler(payments.clone()).list_payments(by(&staff, request)).await.map(tonic::Response::into_inner)
    };
    let newest_first = |status: Option<Status>| -> Vec<String> {
        let wanted = made.iter().rev().filter(|payment| status.is_none_or(|status| payment.status == status));
        wanted.map(|payment| payment.payment_id.to_string()).collect()
    };
    for (filter, status) in [(PaymentStatus::Unspecified, None), (PaymentStatus::Paid, Some(Status::Paid))] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = ask(filter, token).await.unwrap();
            assert!(page.payments.len() <= 2);
            seen.extend(page.payments.into_iter().map(|payment| payment.payment_id));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, newest_first(status));
    }
    let token = ask(PaymentStatus::Unspecified, String::new()).await.unwrap().next_page_token;
    assert_eq!(fields(&ask(PaymentStatus::Paid, token).await.unwrap_err()), ["page_token"]);
    // Access to the hotel is checked before the other fields.
    let other = ListPaymentsRequest { hotel_id: 8, status: 99, page_size: -1, page_token: "x".into() };
    let error = PaymentAdminHandler(payments.clone()).list_payments(by(&staff, other)).await.unwrap_err();
    assert_eq!(Problem::reason_of(&error), Some(Reason::AccessDenied));
    let wrong = ListPaymentsRequest { hotel_id: 7, status: 99, page_size: 0, page_token: String::new() };
    assert_eq!(
        fields(&PaymentAdminHandler(payments.clone()).list_payments(by(&staff, wrong)).await.unwrap_err()),
        ["status"]
    );
}
