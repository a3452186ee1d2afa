//! The guest's status page: its content in each state of a booking, and access to it.

use std::collections::HashSet;

use futures::future::join_all;
use reqwest::Method;
use staymesh_devenv::Signal;
use uuid::Uuid;

use super::{Sale, late_payments::sell_to_a_partner};
use crate::support::{
    Answer, CHALLENGED_CARD, DECLINED_CARD, POOR_CARD, PrivateMesh, Provider, REVIEWED_CARD, Rest, Stay, World,
    eventually, operate,
};

/// Of a page that looks for changes.
const REFRESH: &str = "data-refresh=";

fn address(sale: &Sale) -> &str {
    &sale.status_url
}

/// Loads the page like a browser, without a token.
async fn look(url: &str) -> Answer {
    Answer::to(Rest::new("").request(Method::GET, url)).await
}

async fn read(sale: &Sale) -> String {
    look(address(sale)).await.ok().as_str().expect("a page").to_owned()
}

/// Waits until the page has this title, and returns the page.
async fn await_title(sale: &Sale, title: &str) -> String {
    let heading = format!(">{title}</h1>");
    eventually(&format!("{} says {title}", address(sale)), async || {
        let page = read(sale).await;
        page.contains(&heading).then_some(page)
    })
    .await
}

#[track_caller]
fn assert_says(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "{text} is not in {page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_page_shows_each_state_from_payment_to_refund() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let sale = Sale::open(&world).await;
    let link = format!("href=\"{}\"", sale.payment["checkout_url"].as_str().expect("a page"));

    let page = await_title(&sale, "Waiting for your payment").await;
    let stay = ["Test hotel, Porto", "1 × Double", "EUR 300.00", &sale.reservation_id];
    assert_says(&page, &stay);
    assert_says(&page, &["No payment has reached us yet", "The rooms are held for you until", &link, REFRESH]);

    assert_eq!(provider.use_card(&sale.payment, POOR_CARD).await, 402);
    let page = await_title(&sale, "Your card was declined").await;
    assert_says(
        &page,
        &["Nothing was charged with it", "try again", "The rooms are held for you until", &link, REFRESH],
    );

    assert_eq!(provider.use_card(&sale.payment, CHALLENGED_CARD).await, 202);
    assert_says(&read(&sale).await, &["No payment has reached us yet", &link]);
    assert_eq!(provider.answer_challenge(&sale.payment, "approve").await, 200);
    let page = await_title(&sale, "Paid and confirmed").await;
    assert_says(&page, &stay);
    assert!(!page.contains(REFRESH) && !page.contains(&link), "{page}");

    sale.cancel().await;
    let page = await_title(&sale, "Cancelled").await;
    assert_says(&page, &["You had paid EUR 300.00"]);
    let page = eventually("the money is back", async || {
        let page = read(&sale).await;
        page.contains("EUR 300.00 has been sent back to you").then_some(page)
    })
    .await;
    assert!(!page.contains(REFRESH) && page.contains(">Cancelled</h1>"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn status_page_shows_review_decline_and_cancellation() {
    let world = World::shared().await;
    let provider = Provider::of(world.mesh).await;
    let [reviewed, refused, cancelled] = [Sale::open(&world).await, Sale::open(&world).await, Sale::open(&world).await];

    assert_eq!(provider.use_card(&reviewed.payment, REVIEWED_CARD).await, 202);
    let page = await_title(&reviewed, "Your payment is being checked").await;
    assert_says(&page, &["must not pay again", "The rooms are held for you until", "goes back to you", REFRESH]);
    assert_eq!(provider.decide(&reviewed.payment, "approve").await, 200);
    await_title(&reviewed, "Paid and confirmed").await;

    assert_eq!(provider.use_card(&refused.payment, DECLINED_CARD).await, 402);
    let page = eventually("the rooms are free again", async || {
        let page = await_title(&refused, "The payment was declined").await;
        page.contains("The rooms are free again").then_some(page)
    })
    .await;
    assert_says(&page, &["Nothing was charged."]);
    assert!(!page.contains(REFRESH), "{page}");

    cancelled.cancel().await;
    let page = eventually("the page is closed", async || {
        let page = await_title(&cancelled, "Cancelled").await;
        page.contains("Nothing was charged.").then_some(page)
    })
    .await;
    assert!(!page.contains(REFRESH), "{page}");
}

/// Long enough to open a checkout page on a busy machine.
const HOLD: &str = "10s";

#[tokio::test(flavor = "multi_thread")]
async fn status_page_shows_expired_hold_late_payment_and_outage() {
    let mesh = PrivateMesh::start(vec![("reservation", "STAYMESH_HOLD", HOLD.to_owned())]).await;
    let world = World::on(&mesh).await;
    let provider = Provider::of(&mesh).await;
    let hotels = join_all((0..2).map(|_| world.hotel(1))).await;
    let sales = join_all(hotels.into_iter().map(|hotel| Sale::open_at(&world, hotel, Stay::ahead(30, 3)))).await;
    let [late, too_late] = &sales[..] else { unreachable!("two sales") };

    // The reservation service is unavailable: the page shows no state and no payment link.
    operate(&mesh, |local| local.service("reservation")?.signal(Signal::STOP));
    let page = await_title(late, "Your booking cannot be looked up right now").await;
    assert_says(&page, &["No payment has reached us yet", "EUR 300.00", REFRESH]);
    for false_word in ["held for you until", "free again", "rooms are yours", "checkout"] {
        assert!(!page.contains(false_word), "{false_word} in {page}");
    }
    operate(&mesh, |local| local.service("reservation")?.signal(Signal::CONT));

    for sale in [late, too_late] {
        let page = eventually("the payment has ended", async || {
            let page = await_title(sale, "The hold has ended").await;
            page.contains("Nothing was charged.").then_some(page)
        })
        .await;
        assert_says(&page, &["You can book once more"]);
        assert!(!page.contains(REFRESH) && !page.contains("checkout"), "{page}");
    }

    // The provider reports a late payment: for rooms that are free, and for rooms that are sold.
    sell_to_a_partner(&world, &world.partner().await, too_late).await;
    for sale in [late, too_late] {
        provider.tell(&provider.event("checkout.paid", &sale.payment).await).await.ok();
    }
    await_title(late, "Paid and confirmed").await;
    eventually("what came too late is on its way", async || {
        let page = await_title(too_late, "Your payment came too late").await;
        (page.contains("The rooms are not booked") && page.contains("EUR 300.00")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn status_page_needs_signed_link_and_contains_no_personal_data() {
    let world = World::shared().await;
    let (mine, yours) = (Sale::open(&world).await, Sale::open(&world).await);
    let page = look(address(&mine)).await;
    for (header, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-robots-tag", "noindex"),
    ] {
        assert_eq!(page.header(header), value);
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    let page = read(&mine).await;
    for private in ["A guest", "staymesh.example", "http-equiv"] {
        assert!(!page.contains(private), "{private} in {page}");
    }

    let key = |sale: &Sale| address(sale).split_once("?key=").expect("a key").1.to_owned();
    let path = |id: &str, key: &str| world.public.url(&format!("/v1/statusPages/{id}?key={key}"));
    let [own, other] = [key(&mine), key(&yours)];
    let unknown = Uuid::new_v4().to_string();
    let swapped = own.chars().rev().collect::<String>();
    let mut bodies = HashSet::new();
    for (id, key) in [
        (mine.reservation_id.as_str(), other.as_str()),
        (&mine.reservation_id, ""),
        (&mine.reservation_id, &own[1..]),
        (&mine.reservation_id, &swapped),
        (&mine.reservation_id, "%00"),
        (&mine.reservation_id, &"A".repeat(5_000)),
        (&unknown, &own),
        ("mine", &own),
    ] {
        let refused = look(&path(id, key)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.header("content-type")),
            (404, "text/html; charset=utf-8"),
            "{id}"
        );
        assert_eq!(refused.header("cache-control"), "no-store");
        bodies.insert(refused.body.to_string());
    }
    assert_eq!(bodies.len(), 1, "all responses are equal: {bodies:?}");
    assert!(look(&path(&mine.reservation_id, &own)).await.status.is_success());
    // Networks and mail programs add parameters to links.
    let added = look(&format!("{}&fbclid=x&utm_source=mail", address(&mine))).await;
    assert_eq!((added.status.as_u16(), added.header("content-type")), (200, "text/html; charset=utf-8"));
    let german = look(&format!("{}&language=de", address(&mine))).await.ok();
    assert_says(german.as_str().expect("a page"), &["lang=\"de\"", "Wir warten auf Ihre Zahlung", "Etc/GMT+12"]);
    // The page only accepts GET.
    Answer::to(Rest::new("").request(Method::POST, address(&mine))).await.refused(405, "METHOD_NOT_ALLOWED");
}
