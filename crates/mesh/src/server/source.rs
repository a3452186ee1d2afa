//! The source layer: limits the requests in progress, and the streams, of one address, so that none takes the places of
//! others. It is exact for each replica: a place is taken before the request is processed, and given back when it ends.
//!
//! The edge says which address a request comes from. Calls between services have none and are not limited here.

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

use super::refusal::{is_infrastructure, refuse};
use crate::errors::{Problem, Reason};

/// Header with the caller's address. The edge sets it and removes it from incoming requests.
const SOURCE: &str = "x-staymesh-source";

/// The shares of one address.
pub(super) struct Sources {
    requests: Arc<Places>,
    streams: Arc<Places>,
}

impl Sources {
    /// `requests` in progress, and health checks, health watches and reflection `streams`.
    pub(super) fn new(requests: usize, streams: usize) -> Self {
        Self { requests: Places::new(requests), streams: Places::new(streams) }
    }
}

pub(super) async fn layer(State(sources): State<Arc<Sources>>, request: Request, next: Next) -> Response {
    let Some(source) = source(request.headers()) else {
        return next.run(request).await;
    };
    let is_stream = is_infrastructure(request.uri().path());
    let places = if is_stream { &sources.streams } else { &sources.requests };
    let Some(place) = places.take(source) else {
        return refuse(
            Problem::new(Reason::RateLimited, "too many requests from this address are in progress")
                .retry_after(Duration::from_secs(1)),
        );
    };
    let response = next.run(request).await;
    if !is_stream {
        return response;
    }
    // A stream is in progress until its body ends or its caller leaves.
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &place;
            frame
        }))
    })
}

/// The address, or the /64 network of an IPv6 address, which is the least that one customer has. What is no address counts as
/// one address.
fn source(headers: &HeaderMap) -> Option<IpAddr> {
    let text = headers.get(SOURCE)?;
    let address = text.to_str().ok().and_then(|text| text.parse::<IpAddr>().ok());
    Some(match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V6(address)) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        Some(v4) => v4,
        None => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    })
}

/// The places of each address. Its memory is bounded by the places that are taken.
struct Places {
    limit: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
}

impl Places {
    fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, taken: Mutex::default() })
    }

    fn take(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let mut taken = self.taken();
        let count = taken.get(&source).copied().unwrap_or(0);
        if count >= self.limit {
            return None;
        }
        taken.insert(source, count + 1);
        Some(Place { places: self.clone(), source })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // The map is consistent after every statement.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place; dropping it gives it back.
struct Place {
    places: Arc<Places>,
    source: IpAddr,
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
        assert_eq!(source(&headers), None);
        headers.insert(SOURCE, HeaderValue::from_static(header));
        assert_eq!(source(&headers), expected.parse().ok());
    }

    #[test]
    fn places_of_one_address_are_limited_and_given_back() {
        let places = Places::new(2);
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = places.take(one);
        let second = places.take(one);
        assert!(first.is_some() && second.is_some());
        assert!(places.take(one).is_none());
        assert!(places.take(other).is_some());
        drop(first);
        assert!(places.take(one).is_some());
        drop(second);
        assert!(places.taken().is_empty(), "nothing is kept for an address without requests");
    }
}
