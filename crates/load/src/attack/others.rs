//! The others: addresses whose requests must be answered while one address attacks.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use anyhow::Result;
use futures::{FutureExt, future::BoxFuture};
use reqwest::{Client, Response, StatusCode};

use super::{
    Gateway, Gateways,
    form::{EMPTY_MESSAGE, EVENTS, GRPC, JSON, LIST_SERVICES, LOGIN, REFLECTION, WATCH},
};
use crate::Outcome;

/// Number of addresses, 127.0.0.2 and following. Several, because each has a quota.
const ADDRESSES: u8 = 32;
/// A call that takes longer is refused.
const LIMIT: Duration = Duration::from_secs(15);

/// A complete request.
#[derive(Clone, Copy)]
struct Call {
    name: &'static str,
    gateway: Gateway,
    path: &'static str,
    content_type: &'static str,
    /// `None` for GET.
    body: Option<&'static [u8]>,
}

const fn get(name: &'static str, gateway: Gateway, path: &'static str) -> Call {
    Call { name, gateway, path, content_type: JSON, body: None }
}

const fn post(name: &'static str, gateway: Gateway, path: &'static str, body: &'static [u8]) -> Call {
    Call { name, gateway, path, content_type: JSON, body: Some(body) }
}

const fn grpc(name: &'static str, gateway: Gateway, path: &'static str, body: &'static [u8]) -> Call {
    Call { name, gateway, path, content_type: GRPC, body: Some(body) }
}

const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// What each of them calls in turn: every service and kind of traffic that an attack takes aim at, and one that it does not.
/// Logins and events are invalid: the service reads and refuses them.
const CALLS: [Call; 14] = [
    get("key set", Gateway::Public, "/.well-known/jwks.json"),
    post("login", Gateway::Public, "/v1/auth/login", b"{}"),
    grpc("login over gRPC", Gateway::Public, LOGIN, EMPTY_MESSAGE),
    get("hotel", Gateway::Public, "/v1/hotels/1"),
    post("event", Gateway::Public, EVENTS, b"{}"),
    grpc("health", Gateway::Public, HEALTH, EMPTY_MESSAGE),
    grpc("health watch", Gateway::Public, WATCH, EMPTY_MESSAGE),
    grpc("reflection", Gateway::Public, REFLECTION, LIST_SERVICES),
    post("login, internal", Gateway::Internal, "/v1/auth/login", b"{}"),
    grpc("login over gRPC, internal", Gateway::Internal, LOGIN, EMPTY_MESSAGE),
    get("hotel, internal", Gateway::Internal, "/v1/hotels/1"),
    grpc("health, internal", Gateway::Internal, HEALTH, EMPTY_MESSAGE),
    grpc("health watch, internal", Gateway::Internal, WATCH, EMPTY_MESSAGE),
    grpc("reflection, internal", Gateway::Internal, REFLECTION, LIST_SERVICES),
];

/// The callers at the other addresses.
#[derive(Clone)]
pub(super) struct Others {
    /// For REST and for gRPC, one pair for each address.
    clients: Arc<[(Client, Client)]>,
    gateways: Arc<Gateways>,
}

impl Others {
    pub(super) fn new(gateways: Gateways) -> Result<Self> {
        let clients = (2..2 + ADDRESSES).map(|host| {
            let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
            let client = || Client::builder().local_address(address).timeout(LIMIT).tls_certs_only([]);
            anyhow::Ok((client().build()?, client().http2_prior_knowledge().build()?))
        });
        Ok(Self { clients: clients.collect::<Result<_>>()?, gateways: Arc::new(gateways) })
    }

    /// A function that makes the call of a given number.
    pub(super) fn caller(&self) -> impl Fn(usize) -> BoxFuture<'static, Outcome> + Clone + Send + 'static {
        let others = self.clone();
        move |number| {
            let others = others.clone();
            async move { others.call(number).await }.boxed()
        }
    }

    async fn call(&self, number: usize) -> Outcome {
        let call = CALLS[number % CALLS.len()];
        // Neighbouring numbers have other calls; each address makes all of them.
        let (rest, grpc) = &self.clients[number / CALLS.len() % self.clients.len()];
        let url = format!("{}{}", self.gateways.url(call.gateway), call.path);
        let client = if call.content_type == GRPC { grpc } else { rest };
        let request = match call.body {
            None => client.get(url),
            Some(body) => {
                client.post(url).header("content-type", call.content_type).header("te", "trailers").body(body)
            }
        };
        let answered = async {
            let mut response = request.send().await.map_err(|error| error.to_string())?;
            let refusal = refusal(&response);
            // A stream is answered with its first part; a dropped response ends it.
            let part = response.chunk().await.map_err(|error| error.to_string())?;
            match refusal {
                Some(refusal) => Err(refusal),
                None if part.is_none() && call.content_type != GRPC => Err("an empty response".to_owned()),
                None => Ok(()),
            }
        };
        match answered.await {
            Ok(()) => Outcome::Accepted,
            Err(error) => Outcome::Error(format!("{}: {error}", call.name)),
        }
    }
}

/// Why a response is none of the service: the edge or the service refused or gave up the request for reasons that are not
/// its content.
fn refusal(response: &Response) -> Option<String> {
    const RESOURCE_EXHAUSTED: &str = "8";
    const UNAVAILABLE: &str = "14";
    const DEADLINE_EXCEEDED: &str = "4";
    const CANCELLED: &str = "1";
    let status = response.status();
    if status.is_server_error() || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
        return Some(status.to_string());
    }
    // An error without a message is in the headers.
    let code = response.headers().get("grpc-status")?.to_str().unwrap_or_default();
    [RESOURCE_EXHAUSTED, UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED].contains(&code).then(|| format!("gRPC {code}"))
}
