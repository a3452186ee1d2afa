//! The forms of a request that its caller does not finish, or that the service does not end.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use bytes::Bytes;
use futures::stream::poll_fn;
use http_body::Frame;
use http_body_util::StreamBody;
use reqwest::Body;

use super::{Gateway, Gateways};

pub(super) const LOGIN: &str = "/staymesh.identity.v1.AuthService/Login";
pub(super) const GRPC: &str = "application/grpc";
const GRPC_WEB: &str = "application/grpc-web+proto";
pub(super) const JSON: &str = "application/json";
/// A gRPC frame with an empty message: all services together, or the health of the server.
pub(super) const EMPTY_MESSAGE: &[u8] = b"\0\0\0\0\0";
/// A gRPC frame with a `ServerReflectionRequest` whose field 7, `list_services`, is `*`.
pub(super) const LIST_SERVICES: &[u8] = b"\0\0\0\0\x03\x3a\x01*";
pub(super) const WATCH: &str = "/grpc.health.v1.Health/Watch";
pub(super) const REFLECTION: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
pub(super) const EVENTS: &str = "/v1/webhooks/simulator";

/// A POST request that stays in progress.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Name in reports.
    pub name: &'static str,
    /// The gateway that receives it.
    pub gateway: Gateway,
    path: &'static str,
    content_type: &'static str,
    /// The part of the body that is sent; nothing if empty.
    body: &'static [u8],
    /// Whether the body ends after that part. If so, the response is what does not end.
    is_complete: bool,
}

const fn unfinished(
    name: &'static str,
    gateway: Gateway,
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
) -> Form {
    Form { name, gateway, path, content_type, body, is_complete: false }
}

const fn watch(name: &'static str, gateway: Gateway) -> Form {
    Form { name, gateway, path: WATCH, content_type: GRPC, body: EMPTY_MESSAGE, is_complete: true }
}

/// Every form, on each gateway that serves it.
pub const FORMS: [Form; 11] = [
    unfinished("gRPC, headers alone", Gateway::Public, LOGIN, GRPC, b""),
    unfinished("gRPC-Web, one byte", Gateway::Public, LOGIN, GRPC_WEB, b"\0"),
    unfinished("REST, one byte", Gateway::Public, "/v1/auth/login", JSON, b"{"),
    unfinished("webhook, one byte", Gateway::Public, EVENTS, JSON, b"{"),
    watch("health watch", Gateway::Public),
    unfinished("reflection", Gateway::Public, REFLECTION, GRPC, LIST_SERVICES),
    unfinished("internal: gRPC, headers alone", Gateway::Internal, LOGIN, GRPC, b""),
    unfinished("internal: gRPC-Web, one byte", Gateway::Internal, LOGIN, GRPC_WEB, b"\0"),
    unfinished("internal: REST, one byte", Gateway::Internal, "/v1/auth/login", JSON, b"{"),
    watch("internal: health watch", Gateway::Internal),
    unfinished("internal: reflection", Gateway::Internal, REFLECTION, GRPC, LIST_SERVICES),
];

impl Form {
    pub(super) fn url(&self, gateways: &Gateways) -> String {
        format!("{}{}", gateways.url(self.gateway), self.path)
    }

    pub(super) fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// The body. `begun` counts the bodies whose request has a stream of its connection.
    pub(super) fn body(&self, begun: Arc<AtomicUsize>) -> Body {
        let (is_complete, mut part) = (self.is_complete, Some(self.body));
        let frames = poll_fn(move |_| match part.take() {
            Some(part) => {
                begun.fetch_add(1, Ordering::Relaxed);
                match part {
                    [] => Poll::Pending,
                    part => Poll::Ready(Some(Ok::<_, Infallible>(Frame::data(Bytes::from_static(part))))),
                }
            }
            None if is_complete => Poll::Ready(None),
            None => Poll::Pending,
        });
        Body::wrap(StreamBody::new(frames))
    }
}
