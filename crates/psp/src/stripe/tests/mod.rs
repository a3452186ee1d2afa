//! The adapter against Stripe's documented responses, over HTTP.

mod checkout;
mod events;
mod failures;
mod refunds;
mod reports;
mod shapes;
mod transfers;

use std::{collections::HashMap, time::Duration};

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use staymesh_domain::PaymentId;
use wiremock::{MockServer, Request};

use super::StripePsp;
use crate::{CheckoutOrder, testing::eur};

const RETURN_URL: &str = "https://booking.example/paid";

fn adapter(url: &str) -> StripePsp {
    patient(url, Duration::from_secs(5))
}

fn patient(url: &str, timeout: Duration) -> StripePsp {
    StripePsp::new(url, "sk_test_hidden".into(), timeout, RETURN_URL).unwrap()
}

fn order() -> CheckoutOrder {
    CheckoutOrder {
        payment_id: PaymentId::new(),
        amount: eur(12_050),
        description: "Reservation <1> & more".into(),
        return_url: String::new(),
        expire_time: Timestamp::now() + SignedDuration::from_mins(14),
    }
}

/// The fields of a form body or of a query.
fn fields(text: &str) -> HashMap<String, String> {
    let url = Url::parse(&format!("http://form/?{text}")).unwrap();
    url.query_pairs().into_owned().collect()
}

fn form(request: &Request) -> HashMap<String, String> {
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    fields(std::str::from_utf8(&request.body).unwrap())
}

/// Every request received, with its authorization and version asserted.
async fn requests(server: &MockServer) -> Vec<Request> {
    let requests = server.received_requests().await.unwrap();
    for request in &requests {
        assert_eq!(request.headers["authorization"], "Bearer sk_test_hidden");
        assert_eq!(request.headers["stripe-version"], "2025-12-15.clover");
    }
    requests
}

#[test]
fn new_requires_https_and_a_web_return_url() {
    let make = |url: &str, page: &str| StripePsp::new(url, "sk_hidden".into(), Duration::from_secs(1), page).map(drop);
    for good in ["https://api.stripe.com", "http://127.0.0.1:1", "http://[::1]:1", "http://localhost:12111"] {
        assert_eq!(make(good, RETURN_URL), Ok(()), "{good}");
    }
    for bad in ["http://api.stripe.com", "http://127.0.0.1.example.com", "", "ftp://api.stripe.com"] {
        let error = make(bad, RETURN_URL).unwrap_err();
        assert!(!error.contains("sk_hidden"), "{error}");
    }
    // Optional: every payment has its own.
    assert_eq!(make("https://api.stripe.com", ""), Ok(()));
    for bad in ["/paid", "javascript:alert(1)"] {
        assert!(make("https://api.stripe.com", bad).is_err(), "{bad}");
    }
}
