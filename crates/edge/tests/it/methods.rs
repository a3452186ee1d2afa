//! HTTP methods and versions: `HEAD`, 405 with `Allow`, HTTP/1.0.

use anyhow::Result;
use reqwest::{Client, Method};
use rstest::rstest;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{edge::Edge, errors::error};

const PAGE: &str = "/v1/statusPages/0190a6f0-0000-8000-8000-000000000001?key=right";

#[rstest]
#[case::http_1(false)]
#[case::http_2(true)]
#[tokio::test]
async fn head_answers_like_get_without_a_body(#[case] http2: bool) -> Result<()> {
    let edge = Edge::start().await?.with_keys().await?;
    let client = if http2 { Client::builder().http2_prior_knowledge().build()? } else { Client::new() };
    let token = edge.keys.token("ada")?;
    for path in ["/v1/hotels/7", "/v1/hotels/404", "/v1/hotels", PAGE, "/v1/reservations", "/healthz", "/v1/hotels?x=1"]
    {
        let ask = |verb: Method| {
            client.request(verb, format!("http://{}{path}", edge.config.public_listen)).bearer_auth(&token).send()
        };
        let (get, head) = (ask(Method::GET).await?, ask(Method::HEAD).await?);
        assert_eq!(head.status(), get.status(), "{path}");
        assert_eq!(head.headers()["content-type"], get.headers()["content-type"], "{path}");
        assert_eq!(head.headers().get("content-length"), get.headers().get("content-length"), "{path}");
        assert!(head.bytes().await?.is_empty(), "{path}");
        assert!(!get.bytes().await?.is_empty(), "{path}");
    }
    // The token is needed as for GET.
    let anonymous = client.head(format!("http://{}/v1/reservations", edge.config.public_listen)).send().await?;
    assert_eq!(anonymous.status(), 401);
    Ok(())
}

#[rstest]
#[case(Method::POST, "/v1/hotels/7/offers", "GET, HEAD", "GET, HEAD")]
#[case(Method::GET, "/v1/auth/login", "POST", "POST")]
#[case(Method::PATCH, "/v1/reservations", "GET, HEAD, POST", "GET, HEAD, POST")]
#[case(Method::PATCH, "/v1/hotels/7", "GET, HEAD", "GET, HEAD, PUT, DELETE")]
#[case(Method::TRACE, "/v1/hotels/7/", "GET, HEAD", "GET, HEAD, PUT, DELETE")]
#[case(Method::OPTIONS, "/v1/hotels?x=1", "GET, HEAD", "GET, HEAD, POST")]
#[tokio::test]
async fn wrong_method_names_those_of_the_path_on_this_gateway(
    #[case] method: Method,
    #[case] path: &str,
    #[case] public: &str,
    #[case] internal: &str,
) -> Result<()> {
    let edge = Edge::start().await?;
    for (allow, request) in [(public, edge.public(method.clone(), path)), (internal, edge.internal(method, path))] {
        let answer = request.try_clone().expect("has no body").send().await?;
        assert_eq!(answer.headers()["allow"], allow);
        assert_eq!(answer.headers()["grpc-status"], "12");
        let (status, reason, message) = error(request).await?;
        assert_eq!((status, reason.as_str()), (405, "METHOD_NOT_ALLOWED"));
        assert_eq!(message, format!("this path allows {allow}"));
    }
    Ok(())
}

#[tokio::test]
async fn custom_method_in_the_path_is_not_read_as_part_of_an_id() -> Result<()> {
    let edge = Edge::start().await?;
    let path = "/v1/reservations/0190a6f0-0000-8000-8000-000000000001:markNoShow";
    let answer = edge.internal(Method::GET, path).send().await?;
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "POST");
    // Not a path of this gateway, or of none.
    for request in [edge.public(Method::GET, path), edge.internal(Method::GET, "/v1/hotels/7:close")] {
        let (status, reason, _) = error(request).await?;
        assert_eq!((status, reason.as_str()), (404, "ROUTE_NOT_FOUND"));
    }
    Ok(())
}

#[tokio::test]
async fn http_1_0_is_served_with_and_without_host() -> Result<()> {
    let edge = Edge::start().await?;
    for (path, host) in [("/healthz", ""), ("/v1/hotels/7", ""), ("/v1/hotels/7", "host: booking.example\r\n")] {
        let mut connection = TcpStream::connect(edge.config.public_listen).await?;
        connection.write_all(format!("GET {path} HTTP/1.0\r\n{host}\r\n").as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        assert!(answer.starts_with("HTTP/1.0 200"), "{path}: {answer}");
    }
    Ok(())
}
