//! Partners' sales on the wire.

use staymesh_api::{
    payment::v1::{
        ListInvoiceLinesRequest, ListPartnerSalesRequest, PartnerSaleTerms, RecordPartnerSaleRequest,
        SettleCancellationRequest, payment_admin_service_server::PaymentAdminService,
        payment_flow_service_server::PaymentFlowService, payment_service_server::PaymentService,
    },
    r#type::v1::Money,
};
use staymesh_mesh::{Problem, Reason, auth::Role};
use tonic::Request;

use super::{InternalPaymentHandler, PaymentAdminHandler, PaymentHandler, by, fields, payments};
use crate::testing::{caller, database, reservation_id};

fn money(currency: &str, amount: &str) -> Option<Money> {
    (!amount.is_empty()).then(|| Money { currency_code: currency.into(), amount: amount.into() })
}

fn euros(amount: &str) -> Option<Money> {
    money("EUR", amount)
}

/// Leaving on this day of May 2030.
fn sale(client_id: &str, day: u8) -> RecordPartnerSaleRequest {
    let check_out = format!("2030-05-{day:02}");
    let terms = PartnerSaleTerms {
        client_id: client_id.into(),
        amount: euros("100.00"),
        taxes: euros("7.00"),
        check_out,
        ..PartnerSaleTerms::default()
    };
    RecordPartnerSaleRequest {
        reservation_id: reservation_id().to_string(),
        terms: Some(terms),
        enforce_credit_limit: true,
    }
}

#[tokio::test]
async fn partner_sale_is_recorded_and_credited_idempotently_and_other_terms_are_refused() {
    let database = database().await;
    let payments = payments(database.pool());
    let request = sale("acme", 4);
    let mut recorded = Vec::new();
    for _ in 0..2 {
        let answer = InternalPaymentHandler(payments.clone())
            .record_partner_sale(Request::new(request.clone()))
            .await
            .unwrap()
            .into_inner();
        recorded.push(answer);
    }
    assert_eq!(recorded[0], recorded[1]);
    let made = &recorded[0];
    assert_eq!((made.reservation_id.as_str(), made.hotel_id), (request.reservation_id.as_str(), 7));
    assert_eq!((made.client_id.as_str(), made.check_out.as_str()), ("acme", "2030-05-04"));
    assert_eq!((made.amount.clone(), made.taxes.clone()), (euros("100.00"), euros("7.00")));
    assert_eq!((made.commission.clone(), made.credited_amount.clone()), (euros("13.95"), euros("0.00")));
    assert_eq!((made.owed_amount.clone(), made.cancel_time), (euros("100.00"), None));

    let mut other = request.clone();
    other.terms.as_mut().unwrap().amount = euros("100.01");
    let error = InternalPaymentHandler(payments.clone()).record_partner_sale(Request::new(other)).await.unwrap_err();
    assert_eq!(Problem::reason_of(&error), Some(Reason::ReservationIdReused));
    assert_eq!(error.code(), tonic::Code::FailedPrecondition);

    let settle = SettleCancellationRequest {
        reservation_id: request.reservation_id,
        refund: euros("70.00"),
        partner_sale: request.terms,
        hold_expired: false,
    };
    for _ in 0..2 {
        let answer = InternalPaymentHandler(payments.clone())
            .settle_cancellation(Request::new(settle.clone()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.payment, None);
        let ended = answer.partner_sale.unwrap();
        assert_eq!((ended.credited_amount, ended.owed_amount), (euros("70.00"), euros("30.00")));
        assert!(ended.cancel_time.is_some());
    }
}

#[tokio::test]
async fn partner_sale_whose_hold_expired_is_credited_in_full() {
    let database = database().await;
    let payments = payments(database.pool());
    let request = sale("acme", 4);
    InternalPaymentHandler(payments.clone()).record_partner_sale(Request::new(request.clone())).await.unwrap();
    let settle = SettleCancellationRequest {
        reservation_id: request.reservation_id,
        refund: euros("0.00"),
        partner_sale: request.terms,
        hold_expired: true,
    };
    let answer = InternalPaymentHandler(payments).settle_cancellation(Request::new(settle)).await.unwrap();
    let ended = answer.into_inner().partner_sale.unwrap();
    assert_eq!((ended.credited_amount, ended.owed_amount), (euros("100.00"), euros("0.00")));
}

#[tokio::test]
async fn sale_of_a_release_that_names_the_partner_by_its_subject_is_the_same_sale() {
    let database = database().await;
    let payments = payments(database.pool());
    let now = sale("acme", 4);
    let terms = now.terms.clone().unwrap();
    let before = PartnerSaleTerms { partner: "client:acme".into(), client_id: String::new(), ..terms.clone() };
    let account = PartnerSaleTerms { partner: "acme".into(), client_id: String::new(), ..terms };
    let record = async |terms| {
        let request = RecordPartnerSaleRequest { terms: Some(terms), ..now.clone() };
        InternalPaymentHandler(payments.clone()).record_partner_sale(Request::new(request)).await
    };
    assert_eq!(fields(&record(account).await.unwrap_err()), ["terms.client_id"]);
    let sold = record(before).await.unwrap().into_inner();
    assert_eq!(record(now.terms.clone().unwrap()).await.unwrap().into_inner(), sold);
    assert_eq!(sold.client_id, "acme");
}

#[tokio::test]
async fn invalid_terms_of_a_sale_are_all_named() {
    let database = database().await;
    let payments = payments(database.pool());
    let dollars = money("USD", "1.00");
    let good = sale("acme", 4).terms.unwrap();
    let long = "p".repeat(201);
    for (terms, wrong) in [
        (None, vec!["terms"]),
        (Some(PartnerSaleTerms::default()), vec!["terms.client_id", "terms.amount", "terms.taxes", "terms.check_out"]),
        (
            Some(PartnerSaleTerms { client_id: long, check_out: "2030-02-30".into(), ..good.clone() }),
            vec!["terms.client_id", "terms.check_out"],
        ),
        (
            Some(PartnerSaleTerms { amount: euros("0"), ..good.clone() }),
            vec!["terms.amount.amount", "terms.taxes.amount"],
        ),
        (Some(PartnerSaleTerms { amount: euros("-1.00"), ..good.clone() }), vec!["terms.amount.amount"]),
        (Some(PartnerSaleTerms { taxes: euros("-0.01"), ..good.clone() }), vec!["terms.taxes.amount"]),
        (Some(PartnerSaleTerms { taxes: euros("100.01"), ..good.clone() }), vec!["terms.taxes.amount"]),
        (Some(PartnerSaleTerms { taxes: dollars, ..good.clone() }), vec!["terms.taxes.currency_code"]),
    ] {
        let request = RecordPartnerSaleRequest { terms, ..sale("acme", 4) };
        assert_eq!(
            fields(
                &InternalPaymentHandler(payments.clone()).record_partner_sale(Request::new(request)).await.unwrap_err()
            ),
            wrong
        );
    }
    let settle = SettleCancellationRequest {
        reservation_id: "x".into(),
        refund: euros("-1.00"),
        partner_sale: Some(PartnerSaleTerms { check_out: String::new(), ..good }),
        hold_expired: false,
    };
    let error = InternalPaymentHandler(payments.clone()).settle_cancellation(Request::new(settle)).await.unwrap_err();
    assert_eq!(fields(&error), ["reservation_id", "refund.amount", "partner_sale.check_out"]);
    let count: i64 = sqlx::query_scalar("select count(*) from partner_sale").fetch_one(database.pool()).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test]
async fn list_partner_sales_filters_by_check_out() {
    let database = database().await;
    let payments = payments(database.pool());
    let mut made = Vec::new();
    for (partner, day) in [("acme", 9), ("acme", 4), ("other", 5), ("acme", 4), ("acme", 6)] {
        let request = sale(partner, day);
        InternalPaymentHandler(payments.clone()).record_partner_sale(Request::new(request.clone())).await.unwrap();
        made.push((partner, day, request.reservation_id));
    }
    let expected = |partner: &str, days: std::ops::Range<u8>| {
        let mut lines: Vec<_> = made.iter().filter(|(who, day, _)| *who == partner && days.contains(day)).collect();
        lines.sort_by_key(|(_, day, id)| (*day, id.clone()));
        lines.into_iter().map(|(_, _, id)| id.clone()).collect::<Vec<_>>()
    };
    let ask = async |partner: &str, from: &str, until: &str, page_token: String| {
        let (from_date, until_date) = (from.to_owned(), until.to_owned());
        let request =
            ListPartnerSalesRequest { client_id: partner.into(), from_date, until_date, page_size: 1, page_token };
        PaymentAdminHandler(payments.clone())
            .list_partner_sales(Request::new(request))
            .await
            .map(tonic::Response::into_inner)
    };
    for (partner, from, until, days) in [
        ("acme", "", "", 1..32),
        ("acme", "2030-05-04", "2030-05-09", 4..9),
        ("acme", "2030-05-05", "", 5..32),
        ("acme", "", "2030-05-06", 1..6),
        ("other", "", "", 1..32),
        ("unknown", "", "", 1..32),
    ] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = ask(partner, from, until, token).await.unwrap();
            assert!(page.sales.len() <= 1);
            seen.extend(page.sales.into_iter().map(|sale| sale.reservation_id));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, expected(partner, days), "{partner} {from} {until}");
    }
    let token = ask("acme", "", "", String::new()).await.unwrap().next_page_token;
    assert_eq!(fields(&ask("other", "", "", token).await.unwrap_err()), ["page_token"]);
    for (partner, from, until, wrong) in [
        ("", "today", "2030-5-1", vec!["client_id", "from_date", "until_date"]),
        ("acme", "2030-05-04", "2030-05-04", vec!["until_date"]),
        ("acme", "2030-05-04", "2030-05-03", vec!["until_date"]),
    ] {
        assert_eq!(fields(&ask(partner, from, until, String::new()).await.unwrap_err()), wrong);
    }
}

#[tokio::test]
async fn list_invoice_lines_returns_only_lines_of_the_caller() {
    let database = database().await;
    let payments = payments(database.pool());
    let mut own = Vec::new();
    for (partner, day) in [("acme", 9), ("other", 5), ("acme", 4)] {
        let request = sale(partner, day);
        InternalPaymentHandler(payments.clone()).record_partner_sale(Request::new(request.clone())).await.unwrap();
        if partner == "acme" {
            own.insert(0, request.reservation_id);
        }
    }
    let acme = caller("client:acme", Role::Partner, &[]);
    let ask = async |from: &str, page_token: String| {
        let from_date = from.to_owned();
        let request = ListInvoiceLinesRequest { from_date, until_date: String::new(), page_size: 1, page_token };
        PaymentHandler(payments.clone()).list_invoice_lines(by(&acme, request)).await.map(tonic::Response::into_inner)
    };
    let first = ask("", String::new()).await.unwrap();
    let second = ask("", first.next_page_token.clone()).await.unwrap();
    assert_eq!(second.next_page_token, "");
    let seen: Vec<_> = first.sales.iter().chain(&second.sales).map(|line| line.reservation_id.clone()).collect();
    assert_eq!(seen, own);
    assert_eq!(fields(&ask("2030-5-1", String::new()).await.unwrap_err()), ["from_date"]);
    assert_eq!(fields(&ask("2030-05-01", first.next_page_token).await.unwrap_err()), ["page_token"]);
}
