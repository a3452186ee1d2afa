//! Internal services: not reachable through the gateways, and authorized by service tokens.

use staymesh_api::{
    hotel::v1::{DeleteHotelRequest, hotel_admin_service_client::HotelAdminServiceClient},
    payment::v1::{SettleCancellationRequest, payment_flow_service_client::PaymentFlowServiceClient},
    rate::v1::{PriceStayRequest, pricing_service_client::PricingServiceClient},
    reservation::v1::{
        ConfirmPaymentRequest, RetireInventoryRequest, reservation_flow_service_client::ReservationFlowServiceClient,
    },
};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_types::StatusExt;

use super::NOBODYS_ID;
use crate::support::World;

async fn channel(url: &str) -> Channel {
    Channel::from_shared(url.to_owned()).expect("an address").connect().await.expect("connects")
}

fn asked<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    request
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(answer: Result<T, Status>, code: Code, reason: &str) {
    let status = answer.expect_err("refused");
    let info = status.get_details_error_info().expect("has ErrorInfo");
    assert_eq!((status.code(), info.reason.as_str(), info.domain.as_str()), (code, reason, "staymesh"), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_services_are_not_routed_by_gateways() {
    let world = World::shared().await;
    let token = world.admin.token();
    for url in [world.mesh.public_url(), world.mesh.internal_url()] {
        let channel = channel(url).await;
        let mut bookings = ReservationFlowServiceClient::new(channel.clone());
        let confirm = bookings.confirm_payment(asked(ConfirmPaymentRequest::default(), token)).await;
        assert_refused(confirm, Code::NotFound, "ROUTE_NOT_FOUND");
        let retire = RetireInventoryRequest { hotel_id: NOBODYS_ID, ..Default::default() };
        assert_refused(bookings.retire_inventory(asked(retire, token)).await, Code::NotFound, "ROUTE_NOT_FOUND");
        let mut payments = PaymentFlowServiceClient::new(channel.clone());
        let settle = payments.settle_cancellation(asked(SettleCancellationRequest::default(), token)).await;
        assert_refused(settle, Code::NotFound, "ROUTE_NOT_FOUND");
        let mut prices = PricingServiceClient::new(channel);
        let price = prices.price_stay(asked(PriceStayRequest::default(), token)).await;
        assert_refused(price, Code::NotFound, "ROUTE_NOT_FOUND");
    }
    let paths = [
        "/staymesh.reservation.v1.ReservationFlowService/ConfirmPayment",
        "/staymesh.payment.v1.PaymentFlowService/SettleCancellation",
        "/staymesh.rate.v1.PricingService/PriceStay",
    ];
    for path in paths {
        for gateway in [&world.public.with_token(token), &world.admin] {
            gateway.post(path, serde_json::json!({})).await.refused(404, "ROUTE_NOT_FOUND");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn internal_service_refuses_callers_without_service_token() {
    let world = World::shared().await;
    let guest = world.guest().await;
    let url = world.mesh.service_url("reservation").expect("an address");
    let mut bookings = ReservationFlowServiceClient::new(channel(&url).await);
    let anonymous = bookings.confirm_payment(ConfirmPaymentRequest::default()).await;
    assert_refused(anonymous, Code::Unauthenticated, "UNAUTHENTICATED");
    for token in [guest.token(), world.admin.token()] {
        let answer = bookings.confirm_payment(asked(ConfirmPaymentRequest::default(), token)).await;
        assert_refused(answer, Code::PermissionDenied, "ACCESS_DENIED");
    }
    let forged = asked(ConfirmPaymentRequest::default(), "garbage");
    assert_refused(bookings.confirm_payment(forged).await, Code::Unauthenticated, "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn public_gateway_refuses_internal_methods_over_grpc() {
    let world = World::shared().await;
    let delete = || asked(DeleteHotelRequest { hotel_id: NOBODYS_ID, etag: String::new() }, world.admin.token());
    let mut public = HotelAdminServiceClient::new(channel(world.mesh.public_url()).await);
    assert_refused(public.delete_hotel(delete()).await, Code::PermissionDenied, "INTERNAL_ROUTE");
    let mut internal = HotelAdminServiceClient::new(channel(world.mesh.internal_url()).await);
    assert_refused(internal.delete_hotel(delete()).await, Code::NotFound, "HOTEL_NOT_FOUND");
}
