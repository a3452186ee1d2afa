//! The crate `oauth2` against a running mesh: tokens by HTTP Basic and by the body, refresh, revocation, errors.
//!
//! Usage: `stock-oauth2-client BASE_URL`, with `CLIENT_ID`, `CLIENT_SECRET` and `REFRESH_TOKEN` in the environment. Ends
//! with status 0 if every step has the expected result.

use std::{
    env,
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use oauth2::{
    AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, RefreshToken, RequestTokenError, RevocationUrl,
    TokenResponse, TokenUrl,
    basic::{BasicClient, BasicErrorResponseType, BasicTokenType},
    http::{Response, StatusCode},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Sends a request of the crate to the mesh over a connection of its own.
fn send(base: &str, request: &HttpRequest) -> Result<HttpResponse, std::io::Error> {
    let host = base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut head =
        format!("{} {} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", request.method(), request.uri().path());
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().map_err(std::io::Error::other)?));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", request.body().len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(request.body())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    response(&answer).ok_or_else(|| std::io::Error::other(format!("not an HTTP response: {answer}")))
}

/// Parses a response whose connection was closed after it.
fn response(text: &str) -> Option<HttpResponse> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut response = Response::builder().status(StatusCode::from_u16(status).ok()?);
    let mut chunked = false;
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        chunked |= name.eq_ignore_ascii_case("transfer-encoding");
        response = response.header(name, value);
    }
    let body = if chunked { joined(body)? } else { body.to_owned() };
    response.body(body.into_bytes()).ok()
}

/// The content of a chunked body.
fn joined(mut body: &str) -> Option<String> {
    let mut content = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(content);
        }
        content.push_str(rest.get(..size)?);
        body = rest.get(size + 2..)?;
    }
}

fn main() -> Outcome<()> {
    let base = env::args().nth(1).ok_or("no base URL")?;
    let http = |request: HttpRequest| send(&base, &request);
    let (id, secret) = (ClientId::new(env::var("CLIENT_ID")?), ClientSecret::new(env::var("CLIENT_SECRET")?));
    let token_url = TokenUrl::new(format!("{base}/v1/oauth/token"))?;
    for method in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = |secret| {
            BasicClient::new(id.clone())
                .set_client_secret(secret)
                .set_auth_type(method.clone())
                .set_token_uri(token_url.clone())
        };
        let token = client(secret.clone()).exchange_client_credentials().request(&http)?;
        assert_eq!(token.token_type(), &BasicTokenType::Bearer);
        assert!(token.expires_in().is_some_and(|life| life > Duration::ZERO) && token.refresh_token().is_none());
        let refused = client(ClientSecret::new("wrong".to_owned())).exchange_client_credentials().request(&http);
        let Err(RequestTokenError::ServerResponse(error)) = refused else { return Err("a wrong secret".into()) };
        assert_eq!(error.error(), &BasicErrorResponseType::InvalidClient);
        assert!(error.error_description().is_some());
    }

    // The crate revokes over https only; `send` takes the plain port of the local mesh all the same.
    let revocation_url = RevocationUrl::new(format!("{}/v1/oauth/revoke", base.replace("http:", "https:")))?;
    let person = BasicClient::new(id).set_token_uri(token_url).set_revocation_url(revocation_url);
    let first = RefreshToken::new(env::var("REFRESH_TOKEN")?);
    let tokens = person.exchange_refresh_token(&first).request(&http)?;
    let latest = tokens.refresh_token().ok_or("no refresh token")?;
    assert_ne!(latest.secret(), first.secret());
    person.revoke_token(latest.clone().into())?.request(&http)?;
    let refused = person.exchange_refresh_token(latest).request(&http);
    let Err(RequestTokenError::ServerResponse(error)) = refused else { return Err("a revoked login".into()) };
    assert_eq!(error.error(), &BasicErrorResponseType::InvalidGrant);
    Ok(())
}
