//! gRPC and gRPC-Web through the edge.

use anyhow::Result;
use prost::Message;
use reqwest::{Method, StatusCode};
use staymesh_api::{
    hotel::v1::{
        DeleteHotelRequest, GetHotelRequest, Hotel, hotel_admin_service_client::HotelAdminServiceClient,
        hotel_service_client::HotelServiceClient,
    },
    identity::v1::{LoginRequest, auth_service_client::AuthServiceClient},
    rate::v1::{PriceStayRequest, pricing_service_client::PricingServiceClient},
    reservation::v1::{ListReservationsRequest, reservation_service_client::ReservationServiceClient},
};
use staymesh_mesh::{Problem, Reason};
use tonic::{Code, Request, Status, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::edge::Edge;

impl Edge {
    async fn public_channel(&self) -> Result<Channel> {
        Ok(Channel::from_shared(format!("http://{}", self.config.public_listen))?.connect().await?)
    }
}

/// Code and reason of a failed call.
fn failure<T: std::fmt::Debug>(answer: Result<T, Status>) -> Option<(Code, Option<Reason>)> {
    let status = answer.err()?;
    Some((status.code(), Problem::reason_of(&status)))
}

#[tokio::test]
async fn grpc_passes_with_error_details() -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let channel = edge.public_channel().await?;
    let mut hotels = HotelServiceClient::new(channel.clone());
    let hotel = hotels.get_hotel(GetHotelRequest { hotel_id: 7 }).await?.into_inner();
    assert_eq!(hotel.hotel_id, 7);
    let missing = hotels.get_hotel(GetHotelRequest { hotel_id: 404 }).await;
    assert_eq!(failure(missing), Some((Code::NotFound, Some(Reason::HotelNotFound))));

    let mut reservations = ReservationServiceClient::new(channel.clone());
    let anonymous = reservations.list_reservations(ListReservationsRequest::default()).await;
    assert_eq!(failure(anonymous), Some((Code::Unauthenticated, Some(Reason::Unauthenticated))));
    let mut request = Request::new(ListReservationsRequest::default());
    request.metadata_mut().insert("authorization", format!("Bearer {}", edge.keys.token("ada")?).parse()?);
    reservations.list_reservations(request).await?;

    let internal = HotelAdminServiceClient::new(channel.clone()).delete_hotel(DeleteHotelRequest::default()).await;
    assert_eq!(failure(internal), Some((Code::PermissionDenied, Some(Reason::InternalRoute))));
    let of_the_mesh = PricingServiceClient::new(channel.clone()).price_stay(PriceStayRequest::default()).await;
    assert_eq!(failure(of_the_mesh), Some((Code::NotFound, Some(Reason::RouteNotFound))));

    // Smaller than the limit of the service itself.
    let large = LoginRequest { email: "x".repeat(2_000_000), password: String::new() };
    let large = AuthServiceClient::new(channel).login(large).await;
    assert_eq!(failure(large), Some((Code::InvalidArgument, Some(Reason::RequestTooLarge))));
    Ok(())
}

#[tokio::test]
async fn rate_limit_applies_to_grpc() -> Result<()> {
    let edge = Edge::with(|config| {
        config.limits.requests_per_second = 1;
        config.limits.burst = 2;
    })
    .await?;
    let mut hotels = HotelServiceClient::new(edge.public_channel().await?);
    let mut refused = None;
    for _ in 0..10 {
        refused = failure(hotels.get_hotel(GetHotelRequest { hotel_id: 7 }).await).or(refused);
    }
    assert_eq!(refused, Some((Code::ResourceExhausted, Some(Reason::RateLimited))));
    Ok(())
}

#[tokio::test]
async fn grpc_timeout_is_limited() -> Result<()> {
    let edge = Edge::with(|config| config.timeouts.request_seconds = 1).await?;
    let mut hotels = HotelServiceClient::new(edge.public_channel().await?);
    for asked in [None, Some("90S")] {
        let mut request = Request::new(GetHotelRequest { hotel_id: 504 });
        if let Some(asked) = asked {
            request.metadata_mut().insert("grpc-timeout", asked.parse()?);
        }
        let late = hotels.get_hotel(request).await;
        assert_eq!(failure(late), Some((Code::DeadlineExceeded, Some(Reason::DeadlineExceeded))));
    }
    Ok(())
}

#[tokio::test]
async fn health_and_reflection_are_served() -> Result<()> {
    let edge = Edge::start().await?;
    let channel = edge.public_channel().await?;
    HealthClient::new(channel.clone()).check(HealthCheckRequest { service: String::new() }).await?;

    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::FileContainingSymbol("staymesh.payment.v1.PaymentService".to_owned())),
    };
    let answers = ServerReflectionClient::new(channel).server_reflection_info(tokio_stream::iter([question])).await?;
    let answer = answers.into_inner().message().await?.and_then(|answer| answer.message_response);
    assert!(matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn grpc_web_passes() -> Result<()> {
    let edge = Edge::start().await?;
    let call = |hotel_id: i32| {
        let message = GetHotelRequest { hotel_id }.encode_to_vec();
        let mut frame = vec![0];
        frame.extend(u32::try_from(message.len()).unwrap_or_default().to_be_bytes());
        frame.extend(message);
        edge.public(Method::POST, "/staymesh.hotel.v1.HotelService/GetHotel")
            .header("content-type", "application/grpc-web+proto")
            .header("x-grpc-web", "1")
            .body(frame)
    };
    let answer = call(7).send().await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/grpc-web+proto");
    let body = answer.bytes().await?;
    let length = u32::from_be_bytes(body[1..5].try_into()?) as usize;
    let hotel = Hotel::decode(&body[5..5 + length])?;
    assert_eq!(hotel.hotel_id, 7);
    let trailers = String::from_utf8(body[5 + length + 5..].to_vec())?;
    assert!(trailers.contains("grpc-status:0"), "{trailers}");

    let missing = call(404).send().await?;
    let in_headers = missing.headers().get("grpc-status").cloned();
    let body = missing.bytes().await?;
    assert!(in_headers.is_some_and(|s| s == "5") || String::from_utf8_lossy(&body).contains("grpc-status:5"));
    Ok(())
}
