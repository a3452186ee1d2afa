//! Requests with several wrong fields: each is named, in one response.

use staymesh_api::payment::v1::{
    self as proto, finance_service_server::FinanceService, payment_admin_service_server::PaymentAdminService,
    payment_flow_service_server::PaymentFlowService, payment_service_server::PaymentService,
};
use staymesh_domain::Page;
use staymesh_mesh::auth::Role;
use tonic::Request;

use super::{by, fields, payments};
use crate::{
    grpc::{FinanceHandler, InternalPaymentHandler, PaymentAdminHandler, PaymentHandler},
    testing::{caller, database},
};

/// The fields that the answer to a request names.
macro_rules! named {
    ($call:expr) => {
        fields(&$call.await.unwrap_err())
    };
}

#[tokio::test]
async fn every_wrong_field_of_a_request_of_staff_is_named() {
    let database = database().await;
    let admin = PaymentAdminHandler(payments(database.pool()));
    let caller = caller("admin-1", Role::Admin, &[]);
    let token = || "x".to_owned();
    let list = proto::ListPaymentsRequest { hotel_id: -1, status: 99, page_size: -1, page_token: token() };
    assert_eq!(named!(admin.list_payments(by(&caller, list))), ["hotel_id", "status", "page_size", "page_token"]);
    let amount = Some(super::Money { currency_code: "EUR".into(), amount: "0.001".into() });
    let refund =
        proto::RefundPaymentRequest { payment_id: "x".into(), amount, request_id: "x".into(), goodwill: false };
    assert_eq!(named!(admin.refund_payment(by(&caller, refund))), ["payment_id", "amount.amount", "request_id"]);
    let recorded = proto::RecordDeskPaymentRequest {
        reservation_id: "x".into(),
        revision: -1,
        method: 1,
        amount: None,
        reference: "4242 4242 4242 4242".into(),
    };
    let wrong = ["reservation_id", "revision", "method", "amount", "reference"];
    assert_eq!(named!(admin.record_desk_payment(by(&caller, recorded))), wrong);
    let given =
        proto::RecordDeskRefundRequest { payment_id: "x".into(), refund_id: "x".into(), reference: "a\nb".into() };
    assert_eq!(named!(admin.record_desk_refund(by(&caller, given))), ["payment_id", "refund_id", "reference"]);
    let payouts = proto::ListPayoutsRequest { hotel_id: -1, page_size: -1, page_token: token() };
    assert_eq!(named!(admin.list_payouts(by(&caller, payouts))), ["hotel_id", "page_size", "page_token"]);
    let payout = proto::GetPayoutRequest { payout_id: "x".into() };
    assert_eq!(named!(admin.get_payout(by(&caller, payout))), ["payout_id"]);
    let lines = proto::ListPayoutLinesRequest { payout_id: "x".into(), page_size: -1, page_token: token() };
    assert_eq!(named!(admin.list_payout_lines(by(&caller, lines))), ["payout_id", "page_size", "page_token"]);
    let destination = proto::SetPayoutDestinationRequest { hotel_id: -1, destination: "a b".into() };
    assert_eq!(named!(admin.set_payout_destination(by(&caller, destination))), ["hotel_id", "destination"]);
    let sales = proto::ListPartnerSalesRequest {
        client_id: String::new(),
        from_date: "x".into(),
        until_date: "x".into(),
        page_size: -1,
        page_token: token(),
    };
    assert_eq!(
        named!(admin.list_partner_sales(by(&caller, sales))),
        ["client_id", "from_date", "until_date", "page_size", "page_token"]
    );
}

#[tokio::test]
async fn every_wrong_field_of_a_request_of_guests_partners_and_services_is_named() {
    let database = database().await;
    let payments = payments(database.pool());
    let (guest, partner) = (caller("guest-1", Role::Guest, &[]), caller("client:p", Role::Partner, &[]));
    let handler = PaymentHandler(payments.clone());
    let create = proto::CreatePaymentRequest {
        reservation_id: "x".into(),
        return_url: "javascript:alert(1)".into(),
        revision: 0,
    };
    assert_eq!(named!(handler.create_payment(by(&guest, create))), ["reservation_id", "return_url"]);
    let lines = proto::ListInvoiceLinesRequest {
        from_date: "x".into(),
        until_date: "x".into(),
        page_size: -1,
        page_token: "x".into(),
    };
    assert_eq!(
        named!(handler.list_invoice_lines(by(&partner, lines))),
        ["from_date", "until_date", "page_size", "page_token"]
    );
    let flow = InternalPaymentHandler(payments);
    let record =
        proto::RecordPartnerSaleRequest { reservation_id: "x".into(), terms: None, enforce_credit_limit: false };
    assert_eq!(named!(flow.record_partner_sale(Request::new(record))), ["reservation_id", "terms"]);
    let settle = proto::SettleCancellationRequest {
        reservation_id: "x".into(),
        refund: None,
        partner_sale: None,
        hold_expired: false,
    };
    assert_eq!(named!(flow.settle_cancellation(Request::new(settle))), ["reservation_id", "refund"]);
}

#[tokio::test]
async fn every_wrong_field_of_a_request_about_cases_is_named() {
    let database = database().await;
    let finance = FinanceHandler(payments(database.pool()));
    let admin = caller("admin-1", Role::Admin, &[]);
    let list = proto::ListReconciliationCasesRequest {
        state: 99,
        kind: 99,
        day: "x".into(),
        page_size: -1,
        page_token: "x".into(),
    };
    assert_eq!(
        named!(finance.list_reconciliation_cases(by(&admin, list))),
        ["state", "kind", "day", "page_size", "page_token"]
    );
    for text in ["", "  ", "a\0", "\u{200b}", "\u{200d}", "a\u{202e}", &"x".repeat(2001)] {
        let (case_id, etag) = ("x".to_owned(), String::new());
        let assign = proto::AssignCaseRequest { case_id, owner: text.to_owned(), etag };
        assert_eq!(named!(finance.assign_case(by(&admin, assign))), ["case_id", "owner"], "{text:.9}");
        let (case_id, etag) = ("x".to_owned(), String::new());
        let resolve = proto::ResolveCaseRequest { case_id, note: text.to_owned(), etag };
        assert_eq!(named!(finance.resolve_case(by(&admin, resolve))), ["case_id", "note"], "{text:.9}");
    }
}

#[tokio::test]
async fn every_wrong_field_of_a_request_about_credit_is_named() {
    let database = database().await;
    let finance = FinanceHandler(payments(database.pool()));
    let admin = caller("admin-1", Role::Admin, &[]);
    let (client_id, request_id) = (String::new(), "x".to_owned());
    let (amount, reference) = (None, "a\u{202e}b".to_owned());
    let record = proto::RecordPartnerPaymentRequest { client_id, amount, reference, request_id, keep_credit: false };
    assert_eq!(
        named!(finance.record_partner_payment(by(&admin, record))),
        ["client_id", "amount", "reference", "request_id"]
    );
    let set = proto::SetPartnerCreditLimitRequest { client_id: String::new(), limit: None, etag: String::new() };
    assert_eq!(named!(finance.set_partner_credit_limit(by(&admin, set))), ["client_id", "limit"]);
    let list = proto::ListPartnerCreditLimitsRequest { client_id: "A".into(), page_size: -1, page_token: "x".into() };
    assert_eq!(named!(finance.list_partner_credit_limits(by(&admin, list))), ["client_id", "page_size", "page_token"]);
    // A page token is not signed: what it names is checked as well.
    let payments = PaymentHandler(payments(database.pool()));
    let forged =
        Page::<String>::parse(1, "", &["client:acme"]).unwrap().cut(vec!["\0"; 2], |text| (*text).to_owned()).1;
    let own = proto::ListCreditLimitsRequest { page_size: 1, page_token: forged };
    let acme = caller("client:acme", Role::Partner, &[]);
    assert_eq!(named!(payments.list_credit_limits(by(&acme, own))), ["page_token"]);
}
