//! OAuth 2.0 client libraries of other languages: the Rust crate `oauth2`, run as it is; and the requests of Spring Security,
//! byte for byte.

use std::time::Duration;

use serde_json::{Value, json};
use staymesh_devenv::{dev_dir, repository};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
    time::timeout,
};

use super::oauth::{partner, refresh_token};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn rust_crate_oauth2_gets_refreshes_and_revokes_tokens() {
    let world = World::shared().await;
    let (client_id, secret) = partner(&world).await;
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--locked", "--manifest-path"])
        .arg(repository().join("tests/oauth/rust/Cargo.toml"))
        .arg("--target-dir")
        .arg(dev_dir().join("oauth-rust"))
        .args(["--", &world.public.url("")])
        .env("CLIENT_ID", client_id)
        .env("CLIENT_SECRET", secret)
        .env("REFRESH_TOKEN", refresh_token(&world).await)
        .kill_on_drop(true)
        .output();
    // It is built once, half a minute of two processors.
    let output = timeout(Duration::from_mins(10), output).await.expect("ends in time").expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Sends the bytes of a request whose body is `body`, and returns status, head and JSON of the answer.
async fn exchange(address: &str, head: &[&str], body: &str) -> (u16, String, Value) {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let length = format!("Content-Length: {}", body.len());
    let request = format!("{}\r\n{length}\r\n\r\n{body}", head.join("\r\n"));
    stream.write_all(request.as_bytes()).await.expect("sends");
    let (mut answer, mut buffer) = (String::new(), [0; 4096]);
    let whole = async {
        loop {
            let read = stream.read(&mut buffer).await.expect("reads");
            answer.push_str(std::str::from_utf8(&buffer[..read]).expect("text"));
            if let Some((head, body)) = answer.split_once("\r\n\r\n") {
                let start = body.find('{').unwrap_or_default();
                let end = body.rfind('}').map_or(start, |end| end + 1);
                if let Ok(json) = serde_json::from_str(&body[start..end]) {
                    return (head.to_lowercase(), json);
                }
            }
            assert!(read > 0, "the connection ended: {answer}");
        }
    };
    let (head, json) = timeout(Duration::from_secs(30), whole).await.expect("an answer in time");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, head, json)
}

/// `Authorization` of Spring: id and secret encoded as `URLEncoder` does, which changes none of their characters here.
fn basic(client_id: &str, secret: &str) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    format!("Authorization: Basic {}", STANDARD.encode(format!("{client_id}:{secret}")))
}

/// What Spring Security makes of an answer: the token of a success, or the `error` of RFC 6749, section 5.2, whose members
/// it reads as texts.
#[track_caller]
fn assert_understood(answer: &(u16, String, Value), error: Option<&str>) {
    let (status, head, body) = answer;
    assert!(head.contains("content-type: application/json"), "{head}");
    match error {
        None => {
            assert_eq!((*status, &body["token_type"]), (200, &json!("Bearer")), "{body}");
            assert!(body["access_token"].is_string() && body["expires_in"].is_u64(), "{body}");
        }
        Some(error) => {
            assert_eq!((*status, &body["error"]), (401, &json!(error)), "{body}");
            assert!(body["error_description"].is_string() && body.get("error_uri").is_none(), "{body}");
            assert!(head.contains("www-authenticate: basic "), "{head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_spring_security_are_understood() {
    let world = World::shared().await;
    let (id, secret) = partner(&world).await;
    let url = world.public.url("");
    let address = url.trim_start_matches("http://");
    let host = format!("Host: {address}");
    let form = "grant_type=client_credentials";
    // client_secret_basic up to 6.3, over HttpURLConnection.
    let with_charset = async |secret: &str| {
        let basic = basic(&id, secret);
        let head = [
            "POST /v1/oauth/token HTTP/1.1",
            "Accept: application/json",
            "Content-Type: application/x-www-form-urlencoded;charset=UTF-8",
            &basic,
            "User-Agent: Java/17.0.12",
            &host,
            "Connection: keep-alive",
        ];
        exchange(address, &head, &format!("{form}&scope=bookings+read")).await
    };
    assert_understood(&with_charset(&secret).await, None);
    assert_understood(&with_charset("wrong").await, Some("invalid_client"));

    // From 6.4 on, over the HTTP client of the JDK, which offers an upgrade to HTTP/2 on a plain connection.
    let upgrading = async |basic: Option<String>, body: &str| {
        let mut head = vec![
            "POST /v1/oauth/token HTTP/1.1",
            "Connection: Upgrade, HTTP2-Settings",
            &host,
            "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
            "Upgrade: h2c",
            "User-Agent: Java-http-client/21.0.4",
            "Accept: application/json",
            "Content-Type: application/x-www-form-urlencoded",
        ];
        head.extend(basic.as_deref());
        exchange(address, &head, body).await
    };
    assert_understood(&upgrading(Some(basic(&id, &secret)), form).await, None);
    assert_understood(&upgrading(Some(basic(&id, "wrong")), form).await, Some("invalid_client"));
    // client_secret_post.
    let posted = |secret: &str| format!("{form}&client_id={id}&client_secret={secret}");
    assert_understood(&upgrading(None, &posted(&secret)).await, None);
    assert_understood(&upgrading(None, &posted("wrong")).await, Some("invalid_client"));
}
