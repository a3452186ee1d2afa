use staymesh_api::payment::v1::{GetStatusPageRequest, status_page_service_server::StatusPageService};
use staymesh_domain::ReservationId;

use super::*;
use crate::{
    clients::hotels::{MockHotelClient, StayNames},
    grpc::StatusPageHandler,
    model::Booking,
    status_page::StatusPages,
    store::payments,
    testing::{booking, links, new_payment, reservation_id},
};

/// Pages where the reservation service answers this, or nothing.
fn pages(pool: &PgPool, booking: Option<Booking>) -> StatusPageHandler<MockPsp> {
    let (mut reservations, mut hotels) = (MockReservationClient::new(), MockHotelClient::new());
    reservations.expect_get().returning(move |_| {
        let unavailable = || Problem::new(Reason::DependencyUnavailable, "the reservation service does not answer");
        booking.clone().map(Some).ok_or_else(unavailable)
    });
    hotels.expect_stay_names().returning(|_, _| {
        Some(StayNames {
            hotel: "Alfama".into(),
            city: "Lisbon".into(),
            address: "Rua do Sol 1, Lisbon, PT".into(),
            room_types: [(3.try_into().unwrap(), "Double".into())].into(),
            time_zone: None,
        })
    });
    let payments = Arc::new(service(pool, reservations, MockPsp::new()));
    StatusPageHandler::new(StatusPages { payments, hotels: Arc::new(hotels) })
}

fn key_of(id: ReservationId) -> String {
    links().url(id).split_once("?key=").expect("a key").1.to_owned()
}

fn asked(id: &str, key: &str) -> Request<GetStatusPageRequest> {
    Request::new(GetStatusPageRequest { reservation_id: id.to_owned(), key: key.to_owned(), language: String::new() })
}

async fn read(pages: &StatusPageHandler<MockPsp>, id: ReservationId) -> String {
    let answer = pages.get_status_page(asked(&id.to_string(), &key_of(id))).await.unwrap();
    String::from_utf8(answer.into_inner().data).unwrap()
}

#[tokio::test]
async fn status_page_requires_the_key_of_a_reservation_with_a_payment() {
    let database = database().await;
    let payment = open(database.pool()).await;
    let (id, pages) = (payment.reservation_id, pages(database.pool(), Some(booking())));
    let answer = pages.get_status_page(asked(&id.to_string(), &key_of(id))).await.unwrap();
    let headers = answer.metadata().clone().into_headers();
    for (name, value) in [("cache-control", "no-store"), ("referrer-policy", "no-referrer")] {
        assert_eq!(headers[name], value);
    }
    assert!(headers["content-security-policy"].to_str().unwrap().contains("style-src 'sha256-"));
    let page = answer.into_inner();
    assert_eq!(page.content_type, "text/html; charset=utf-8");
    let html = String::from_utf8(page.data).unwrap();
    assert!(html.contains("Waiting for your payment") && html.contains("Alfama, Lisbon"), "{html}");

    let unpaid = reservation_id();
    for (id, key) in [
        (id.to_string(), key_of(unpaid)),
        (id.to_string(), String::new()),
        (unpaid.to_string(), key_of(unpaid)),
        ("mine".to_owned(), key_of(id)),
    ] {
        let refused = pages.get_status_page(asked(&id, &key)).await.unwrap_err();
        assert_eq!(
            (Problem::reason_of(&refused), refused.message()),
            (Some(Reason::PaymentNotFound), "there is no such payment")
        );
    }
}

#[tokio::test]
async fn status_page_is_in_the_language_of_the_link_or_else_of_the_browser() {
    let database = database().await;
    let id = open(database.pool()).await.reservation_id;
    let pages = pages(database.pool(), Some(booking()));
    for (language, header, title) in [
        ("", None, "Waiting for your payment"),
        ("", Some("xx, de-AT;q=0.8, fr;q=0.5"), "Wir warten auf Ihre Zahlung"),
        ("es", Some("de"), "A la espera de su pago"),
        ("tlh", Some("fr"), "En attente de votre paiement"),
        ("", Some("pt-BR"), "À espera do seu pagamento"),
    ] {
        let mut request = asked(&id.to_string(), &key_of(id));
        request.get_mut().language = language.to_owned();
        if let Some(header) = header {
            request.metadata_mut().insert("accept-language", header.parse().unwrap());
        }
        let page = pages.get_status_page(request).await.unwrap().into_inner();
        let html = String::from_utf8(page.data).unwrap();
        assert!(html.contains(&format!(">{title}</h1>")), "{language:?} {header:?}: {html}");
    }
}

#[tokio::test]
async fn status_page_without_reservation_service_shows_only_the_payment() {
    let database = database().await;
    let payment = in_status(database.pool(), Status::Paid).await;
    let page = read(&pages(database.pool(), None), payment.reservation_id).await;
    assert!(page.contains("cannot be looked up right now") && page.contains("EUR 100.00 has arrived"), "{page}");
    assert!(!page.contains("Alfama") && !page.contains("rooms are yours"), "{page}");
}

#[tokio::test]
async fn leading_payment_is_the_paid_one_or_else_the_newest() {
    let database = database().await;
    let pool = database.pool();
    let first = in_status(pool, Status::Expired).await;
    let id = first.reservation_id;
    let second = payments::open(pool, &new_payment(id)).await.unwrap().unwrap();
    assert_ne!(second.payment_id, first.payment_id);
    let leading = async || payments::leading(pool, id).await.unwrap().unwrap().payment_id;
    assert_eq!(leading().await, second.payment_id, "the other one is over");
    let mut connection = pool.acquire().await.unwrap();
    payments::set_status(&mut connection, first.payment_id, Status::Paid).await.unwrap();
    assert_eq!(leading().await, first.payment_id, "its money came after all");
    assert_eq!(payments::leading(pool, reservation_id()).await.unwrap(), None);
}
