//! The gRPC code of answers: the service's own, in the access log and in the header `grpc-status`.

use anyhow::Result;
use prost::Message;
use reqwest::Method;
use rstest::rstest;
use staymesh_api::hotel::v1::GetHotelRequest;

use crate::edge::Edge;

#[rstest]
#[case("/v1/hotels/7", 200, 0)]
#[case("/v1/hotels/404", 404, 5)]
#[case("/v1/hotels/409", 409, 6)]
#[case("/v1/hotels/412", 400, 9)]
#[case("/v1/hotels/429", 429, 8)]
#[case("/v1/hotels/503", 503, 14)]
#[case("/v1/hotels/seven", 400, 3)]
#[case("/v1/reservations", 401, 16)]
#[case("/v1/users:find", 403, 7)]
#[case("/v1/hotel", 404, 5)]
#[case("/v1/hotels/504", 504, 4)]
#[tokio::test]
async fn rest_answer_carries_the_code_of_the_service(
    #[case] path: &str,
    #[case] status: u16,
    #[case] code: u8,
) -> Result<()> {
    let edge = Edge::with(|config| config.timeouts.request_seconds = 1).await?;
    let answer = edge.get(path).send().await?;
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["grpc-status"], code.to_string());
    assert_eq!(edge.logged(path).await?["grpc_code"], code);
    Ok(())
}

#[rstest]
#[case("application/grpc-web+proto", 7, 0)]
#[case("application/grpc-web+proto", 404, 5)]
#[case("application/grpc-web-text", 7, 0)]
#[tokio::test]
async fn grpc_web_answer_is_logged_with_its_code(
    #[case] content_type: &str,
    #[case] hotel_id: i32,
    #[case] code: u8,
) -> Result<()> {
    const GET_HOTEL: &str = "/staymesh.hotel.v1.HotelService/GetHotel";
    let edge = Edge::start().await?;
    let message = GetHotelRequest { hotel_id }.encode_to_vec();
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len())?.to_be_bytes());
    frame.extend(message);
    let body = if content_type.ends_with("text") {
        base64::Engine::encode(&base64::prelude::BASE64_STANDARD, frame).into()
    } else {
        frame
    };
    let call = edge.public(Method::POST, GET_HOTEL).header("content-type", content_type).body(body);
    assert_eq!(call.send().await?.status(), 200);
    assert_eq!(edge.logged(GET_HOTEL).await?["grpc_code"], code);
    Ok(())
}
