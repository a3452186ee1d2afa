//! The parameter `psp_simulate` of a return URL: the simulator reads it, and refuses what it cannot read.

use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use staymesh_domain::PaymentId;

use crate::{
    CheckoutOrder, Psp, PspError,
    testing::{eur, simulator},
};

fn order(return_url: &str) -> CheckoutOrder {
    CheckoutOrder {
        payment_id: PaymentId::new(),
        amount: eur(1),
        description: "Reservation".into(),
        return_url: return_url.into(),
        expire_time: Timestamp::now() + SignedDuration::from_mins(15),
    }
}

#[tokio::test]
async fn create_checkout_with_malformed_switches_fails_with_return_url_error() {
    let (psp, _running) = simulator(None).await;
    let texts = [
        "webhook=lose",
        " webhook = delay:30 ,answer=error,refund=timeout-after, review=reject:5",
        "review=approve:86400",
        "",
        ",",
        "webhook",
        "webhook=explode",
        "webhook=delay",
        "webhook=delay:-1",
        "webhook=delay:86401",
        "webhook=lose,webhook=lose",
        "webhook=lose,",
        "answer=lose",
        "review=approve",
        "surprise=1",
        &format!("webhook=lose{}", " ".repeat(200)),
    ];
    for (at, text) in texts.into_iter().enumerate() {
        let mut url = Url::parse("https://shop.example/?x=1").expect("a URL");
        url.query_pairs_mut().append_pair("psp_simulate", text).append_pair("psp_simulate", "only the first counts");
        // The simulated failure of the second shows that the switches were read.
        let refused = psp.create_checkout(order(url.as_str())).await == Err(PspError::ReturnUrl);
        assert_eq!(refused, at >= 3, "{text:?}");
    }
}

#[tokio::test]
async fn create_checkout_without_switches_accepts_any_web_address() {
    let (psp, _running) = simulator(None).await;
    for url in ["", "https://shop.example/", "https://shop.example/?psp_simulated=x"] {
        assert!(psp.create_checkout(order(url)).await.is_ok(), "{url}");
    }
    assert_eq!(psp.create_checkout(order("nonsense")).await, Err(PspError::ReturnUrl));
}
