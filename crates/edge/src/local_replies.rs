//! Local replies: errors that Envoy itself generates, in the form of the services' errors (`google.rpc.Status` with
//! `ErrorInfo`).

use std::{collections::HashMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use staymesh_contract::{ERROR_DOMAIN, Reason};
use tonic_types::{ErrorDetails, StatusExt};

use crate::envoy::typed;

/// CEL: the caller uses gRPC. After transcoding a REST request looks the same, but has its original path as a header.
const FROM_GRPC: &str = "!('x-envoy-original-path' in request.headers) \
     && request.headers['content-type'].startsWith('application/grpc')";

/// The reply to one class of Envoy's errors.
struct LocalReply {
    /// CEL expression over Envoy's original response that selects the class.
    when: &'static str,
    /// The HTTP status, if different from Envoy's.
    status: Option<u16>,
    reason: Reason,
    /// Message for humans; `%LOCAL_REPLY_BODY%` is Envoy's own text.
    message: &'static str,
    /// Whether to add `Retry-After` and `RetryInfo` of one second.
    retry: bool,
}

const REPLIES: [LocalReply; 13] = [
    LocalReply {
        when: "response.code_details.startsWith('jwt_authn') && response.code_details.contains('Jwks_remote_fetch')",
        status: Some(503),
        reason: Reason::DependencyUnavailable,
        message: "the keys to verify tokens with are unavailable; try again",
        retry: true,
    },
    // Envoy replies 403 to a token for another audience; Staymesh treats it as no token.
    LocalReply {
        when: "response.code_details.startsWith('jwt_authn')",
        status: Some(401),
        reason: Reason::Unauthenticated,
        message: "the call needs a valid access token: %LOCAL_REPLY_BODY%",
        retry: false,
    },
    LocalReply::new(
        "response.code == 403 && response.code_details == 'direct_response'",
        Reason::InternalRoute,
        "only the internal gateway serves this",
    ),
    LocalReply::new(
        "response.code == 404 && response.code_details.contains('transcode')",
        Reason::RouteNotFound,
        "%LOCAL_REPLY_BODY%",
    ),
    LocalReply::new("response.code == 404", Reason::RouteNotFound, "there is no such method"),
    LocalReply {
        when: "response.code == 504 || response.code_details.contains('max_duration')",
        status: Some(504),
        reason: Reason::DeadlineExceeded,
        message: "the deadline passed; whether something changed is unknown, so repeat the same request",
        retry: false,
    },
    LocalReply::new("response.code == 408", Reason::DeadlineExceeded, "the request took too long"),
    LocalReply::new("response.code in [413, 431]", Reason::RequestTooLarge, "the body or the headers are too large"),
    // A bucket is refilled with at least one token a second.
    LocalReply {
        when: "response.code == 429",
        status: None,
        reason: Reason::RateLimited,
        message: "the caller exceeds its quota; try again after the delay in Retry-After",
        retry: true,
    },
    // A circuit breaker of the edge is open: the service may be well.
    LocalReply {
        when: "response.code == 503 && response.code_details.contains('overflow')",
        status: Some(503),
        reason: Reason::Overloaded,
        message: "too many requests are in progress; try again",
        retry: true,
    },
    LocalReply {
        when: "response.code in [502, 503]",
        status: Some(503),
        reason: Reason::DependencyUnavailable,
        message: "the service does not answer; try again",
        retry: true,
    },
    // The transcoder and the Lua filter name fields and parameters that the contract does not have.
    LocalReply::new(
        "response.code == 400 \
            && (response.code_details.contains('transcode') || response.code_details == 'lua_response')",
        Reason::InvalidRequest,
        "%LOCAL_REPLY_BODY%",
    ),
    LocalReply::new(
        "response.code in [400, 403, 426]",
        Reason::InvalidRequest,
        "the edge does not accept this request: %RESPONSE_CODE_DETAILS%",
    ),
];

/// Every other error.
const OTHER: LocalReply =
    LocalReply::new("true", Reason::Internal, "something went wrong on our side; the request id helps us to find it");

pub(crate) fn config() -> Value {
    let grpc = REPLIES.iter().chain([&OTHER]).map(LocalReply::grpc_mapper);
    let json = REPLIES.iter().map(LocalReply::json_mapper);
    let mappers: Vec<Value> = std::iter::once(healthy()).chain(grpc).chain(json).collect();
    json!({
        "mappers": mappers,
        "body_format": OTHER.json_body(),
    })
}

/// The response of the health check is also a local reply, but no error.
fn healthy() -> Value {
    mapper("response.code == 200", &json!({"json_format": {"status": "SERVING"}}))
}

impl LocalReply {
    const fn new(when: &'static str, reason: Reason, message: &'static str) -> Self {
        Self { when, status: None, reason, message, retry: false }
    }

    /// For gRPC callers: code and details as headers, the message as text.
    fn grpc_mapper(&self) -> Value {
        let mut headers = vec![
            header("grpc-status", &i32::from(self.reason.code()).to_string()),
            header("grpc-status-details-bin", &STANDARD.encode(self.details())),
        ];
        headers.extend(self.retry_after());
        let text = json!({"text_format_source": {"inline_string": self.message}});
        let mut mapper = mapper(&format!("{FROM_GRPC} && ({})", self.when), &text);
        mapper["headers_to_add"] = Value::Array(headers);
        mapper
    }

    fn json_mapper(&self) -> Value {
        let mut mapper = mapper(self.when, &self.json_body());
        if let Some(header) = self.retry_after() {
            mapper["headers_to_add"] = json!([header]);
        }
        if let Some(status) = self.status {
            mapper["status_code"] = json!(status);
        }
        mapper
    }

    fn retry_after(&self) -> Option<Value> {
        self.retry.then(|| header("retry-after", "1"))
    }

    fn json_body(&self) -> Value {
        let mut details = vec![json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": self.reason.as_str(),
            "domain": ERROR_DOMAIN,
            "metadata": {},
        })];
        if self.retry {
            details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": "1s"}));
        }
        json!({"json_format": {
            "code": i32::from(self.reason.code()),
            "message": self.message,
            "details": details,
        }})
    }

    /// The encoded `google.rpc.Status` for gRPC callers. It is static, so it cannot contain Envoy's text; `grpc-message` does.
    fn details(&self) -> Vec<u8> {
        let message = self.message.split('%').next().unwrap_or_default().trim_end_matches(": ");
        let mut details = ErrorDetails::with_error_info(self.reason.as_str(), ERROR_DOMAIN, HashMap::new());
        if self.retry {
            details.set_retry_info(Some(Duration::from_secs(1)));
        }
        tonic::Status::with_error_details(self.reason.code(), message, details).details().to_vec()
    }
}

fn mapper(when: &str, body: &Value) -> Value {
    json!({
        "filter": {"extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": typed("envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", json!({
                "expression": when,
            })),
        }},
        "body_format_override": body,
    })
}

fn header(key: &str, value: &str) -> Value {
    json!({"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"})
}
