//! The source layer: limits the requests in progress, and the streams, of one address, so that none takes the places of
//! others. It is exact for each replica: a place is taken before the request is processed, and given back when it ends.
//!
//! The edge says which address a request comes from. Calls between services have none and are not limited here.
//!
//! A client with a valid token has a share of its own, whatever its address: partners send many requests at once, from few
//! addresses that others may share. The edge has verified the token by then, so a share costs the caller a registration;
//! this layer shares nothing with requests whose token is missing or invalid.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::HeaderMap,
    middleware::Next,
    response::Response,
};
use http_body_util::BodyExt;
use staymesh_domain::ClientId;

use super::refusal::{is_infrastructure, refuse};
use crate::errors::{Problem, Reason};

/// Header with the caller's address. The edge sets it and removes it from incoming requests.
const ADDRESS: &str = "x-staymesh-source";

/// Header with the `sub` of the token that the edge has verified. The edge sets it and removes it from incoming requests.
const SUBJECT: &str = "x-staymesh-subject";
/// Longest `sub` of a client, in bytes, that has a share of its own.
const MAX_SUBJECT: usize = 200;

/// Whose share a request takes a place of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Source {
    Address(IpAddr),
    Client(Box<str>),
}

/// The shares of each source.
pub(super) struct Sources {
    requests: Arc<Places>,
    streams: Arc<Places>,
    per_address: usize,
    per_client: usize,
    streams_per_address: usize,
}

impl Sources {
    /// Requests in progress of one address and of one client, and health checks, health watches and reflection streams of
    /// one address.
    pub(super) fn new(per_address: usize, per_client: usize, streams_per_address: usize) -> Self {
        Self { requests: Arc::default(), streams: Arc::default(), per_address, per_client, streams_per_address }
    }

    /// A place for a request of this address.
    fn request(&self, address: IpAddr, headers: &HeaderMap) -> Result<Place, Problem> {
        match client(headers) {
            Some(client) => self.requests.take(Source::Client(client.into()), self.per_client, "client"),
            None => self.requests.take(Source::Address(address), self.per_address, "address"),
        }
    }

    /// A place for a stream of this address.
    fn stream(&self, address: IpAddr) -> Result<Place, Problem> {
        self.streams.take(Source::Address(address), self.streams_per_address, "address")
    }
}

pub(super) async fn layer(State(sources): State<Arc<Sources>>, request: Request, next: Next) -> Response {
    let Some(address) = address(request.headers()) else {
        return next.run(request).await;
    };
    if !is_infrastructure(request.uri().path()) {
        return match sources.request(address, request.headers()) {
            Ok(_held) => next.run(request).await,
            Err(problem) => refuse(problem),
        };
    }
    let place = match sources.stream(address) {
        Ok(place) => place,
        Err(problem) => return refuse(problem),
    };
    // A stream is in progress until its body ends or its caller leaves.
    next.run(request).await.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &place;
            frame
        }))
    })
}

/// The client whose token the edge has verified.
fn client(headers: &HeaderMap) -> Option<&str> {
    let subject = headers.get(SUBJECT)?.to_str().ok()?;
    (ClientId::in_subject(subject).is_some() && subject.len() <= MAX_SUBJECT).then_some(subject)
}

/// The address, or the /64 network of an IPv6 address, which is the least that one customer has. What is no address counts as
/// one address.
fn address(headers: &HeaderMap) -> Option<IpAddr> {
    let text = headers.get(ADDRESS)?;
    let address = text.to_str().ok().and_then(|text| text.parse::<IpAddr>().ok());
    Some(match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        Some(v4) => v4,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    })
}

/// The places of each source. Its memory is bounded by the places that are taken.
#[derive(Default)]
struct Places(Mutex<HashMap<Source, usize>>);

impl Places {
    /// Takes one of `limit` places of a source.
    ///
    /// # Errors
    /// `RATE_LIMITED` when all are taken.
    fn take(self: &Arc<Self>, source: Source, limit: usize, whose: &str) -> Result<Place, Problem> {
        let mut taken = self.taken();
        let count = taken.get(&source).copied().unwrap_or(0);
        if count >= limit {
            let message = format!("too many requests of this {whose} are in progress");
            return Err(Problem::new(Reason::RateLimited, message).retry_after(Duration::from_secs(1)));
        }
        taken.insert(source.clone(), count + 1);
        Ok(Place { places: self.clone(), source })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Source, usize>> {
        // The map is consistent after every statement.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place; dropping it gives it back.
struct Place {
    places: Arc<Places>,
    source: Source,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("192.0.2.1", "192.0.2.1")]
    #[case("::ffff:192.0.2.1", "192.0.2.1")]
    #[case("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::")]
    #[case("nonsense", "::")]
    fn source_is_an_address_or_a_network(#[case] header: &'static str, #[case] expected: &str) {
        let mut headers = HeaderMap::new();
        assert_eq!(address(&headers), None);
        headers.insert(ADDRESS, HeaderValue::from_static(header));
        assert_eq!(address(&headers), expected.parse().ok());
    }

    #[rstest]
    #[case("client:partner-1", true)]
    #[case("0192f0c1-7a2b-7c3d-9e4f-5a6b7c8d9e0f", false)]
    #[case("", false)]
    fn only_clients_have_shares_of_their_own(#[case] subject: &'static str, #[case] own: bool) {
        let mut headers = HeaderMap::new();
        assert_eq!(client(&headers), None);
        headers.insert(SUBJECT, HeaderValue::from_static(subject));
        assert_eq!(client(&headers), own.then_some(subject));
        let long = format!("client:{}", "x".repeat(MAX_SUBJECT));
        headers.insert(SUBJECT, long.parse().expect("a header"));
        assert_eq!(client(&headers), None);
    }

    #[test]
    fn places_of_one_source_are_limited_and_given_back() {
        let places = Arc::new(Places::default());
        let one = Source::Address(IpAddr::from([192, 0, 2, 1]));
        let take = |source: &Source| places.take(source.clone(), 2, "source").ok();
        let first = take(&one);
        let second = take(&one);
        assert!(first.is_some() && second.is_some());
        assert!(take(&one).is_none());
        for other in [Source::Address(IpAddr::from([192, 0, 2, 2])), Source::Client("client:a".into())] {
            assert!(take(&other).is_some(), "{other:?}");
        }
        drop(first);
        assert!(take(&one).is_some());
        drop(second);
        assert!(places.taken().is_empty(), "nothing is kept for a source without requests");
    }
}
