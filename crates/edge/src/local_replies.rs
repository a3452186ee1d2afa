//! Local replies: errors that Envoy itself generates, in the form of the services' errors (`google.rpc.Status` with
//! `ErrorInfo`).

use std::{collections::HashMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use staymesh_contract::{ERROR_DOMAIN, ErrorPages, Reason};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{EdgeConfig, envoy::typed, lua};

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
    /// Whether the Lua filter has left violations for `BadRequest`.
    violations: bool,
}

const REPLIES: [LocalReply; 15] = [
    LocalReply {
        when: "response.code_details.startsWith('jwt_authn') && response.code_details.contains('Jwks_remote_fetch')",
        status: Some(503),
        reason: Reason::DependencyUnavailable,
        message: "the keys to verify tokens with are unavailable; try again",
        retry: true,
        violations: false,
    },
    // Envoy replies 403 to a token for another audience; Staymesh treats it as no token.
    LocalReply {
        when: "response.code_details.startsWith('jwt_authn')",
        status: Some(401),
        reason: Reason::Unauthenticated,
        message: "the call needs a valid access token: %LOCAL_REPLY_BODY%",
        retry: false,
        violations: false,
    },
    LocalReply::new(
        "response.code == 403 && response.code_details == 'direct_response'",
        Reason::InternalRoute,
        "only the internal gateway serves this",
    ),
    LocalReply::new(
        "response.code == 404 && (response.code_details.contains('transcode') || response.code_details == 'lua_response')",
        Reason::RouteNotFound,
        "%LOCAL_REPLY_BODY%",
    ),
    LocalReply::new("response.code == 404", Reason::RouteNotFound, "there is no such method"),
    LocalReply::new("response.code == 405", Reason::MethodNotAllowed, "%LOCAL_REPLY_BODY%"),
    LocalReply {
        when: "response.code == 504 || response.code_details.contains('max_duration')",
        status: Some(504),
        reason: Reason::DeadlineExceeded,
        message: "the deadline passed; whether something changed is unknown, so repeat the same request",
        retry: false,
        violations: false,
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
        violations: false,
    },
    // A circuit breaker of the edge is open: the service may be well.
    LocalReply {
        when: "response.code == 503 && response.code_details.contains('overflow')",
        status: Some(503),
        reason: Reason::Overloaded,
        message: "too many requests are in progress; try again",
        retry: true,
        violations: false,
    },
    LocalReply {
        when: "response.code in [502, 503]",
        status: Some(503),
        reason: Reason::DependencyUnavailable,
        message: "the service does not answer; try again",
        retry: true,
        violations: false,
    },
    // The Lua filter names the fields and parameters that are wrong.
    LocalReply {
        violations: true,
        ..LocalReply::new(
            "response.code == 400 && response.code_details == 'lua_response'",
            Reason::InvalidRequest,
            "%LOCAL_REPLY_BODY%",
        )
    },
    // What the Lua filter lets pass and the transcoder refuses. Its own text can contain the body.
    LocalReply::new(
        "response.code == 400 && response.code_details.contains('transcode')",
        Reason::InvalidRequest,
        "a value of the body, the query or the path does not fit its field",
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

pub(crate) fn config(config: &EdgeConfig) -> Value {
    let pages = config.error_pages_url.as_ref();
    let all = || REPLIES.iter().chain([&OTHER]);
    let grpc = all().map(|reply| reply.grpc_mapper(pages));
    let json = all().map(|reply| reply.json_mapper(pages));
    let mappers: Vec<Value> = std::iter::once(healthy()).chain(grpc).chain(json).collect();
    json!({"mappers": mappers})
}

/// The response of the health check is also a local reply, but no error.
fn healthy() -> Value {
    mapper("response.code == 200", &json!({"json_format": {"status": "SERVING"}}))
}

impl LocalReply {
    const fn new(when: &'static str, reason: Reason, message: &'static str) -> Self {
        Self { when, status: None, reason, message, retry: false, violations: false }
    }

    /// For gRPC callers: code and details as headers, the message as text.
    fn grpc_mapper(&self, pages: Option<&ErrorPages>) -> Value {
        let mut headers = vec![
            header("grpc-status", &i32::from(self.reason.code()).to_string()),
            header("grpc-status-details-bin", &STANDARD.encode(self.details(pages))),
        ];
        headers.extend(self.retry_after());
        let text = json!({"text_format_source": {"inline_string": self.message}});
        let mut mapper = mapper(&format!("{FROM_GRPC} && ({})", self.when), &text);
        mapper["headers_to_add"] = Value::Array(headers);
        mapper
    }

    fn json_mapper(&self, pages: Option<&ErrorPages>) -> Value {
        let mut mapper = mapper(self.when, &self.json_body(pages));
        // For the access log, and as in errors of services.
        let mut headers = vec![header("grpc-status", &i32::from(self.reason.code()).to_string())];
        headers.extend(self.retry_after());
        mapper["headers_to_add"] = Value::Array(headers);
        if let Some(status) = self.status {
            mapper["status_code"] = json!(status);
        }
        mapper
    }

    fn retry_after(&self) -> Option<Value> {
        self.retry.then(|| header("retry-after", "1"))
    }

    fn json_body(&self, pages: Option<&ErrorPages>) -> Value {
        let mut details = vec![json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": self.reason.as_str(),
            "domain": ERROR_DOMAIN,
            "metadata": {"retryable": self.reason.is_retryable().to_string()},
        })];
        if self.retry {
            details.push(json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retry_delay": "1s"}));
        }
        if self.violations {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "field_violations": format!("%DYNAMIC_METADATA({}:{})%", lua::FILTER, lua::VIOLATIONS),
            }));
        }
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RequestInfo",
            "request_id": "%REQ(X-REQUEST-ID)%",
            "serving_data": "",
        }));
        if let Some(pages) = pages {
            details.push(json!({
                "@type": "type.googleapis.com/google.rpc.Help",
                // A percent sign starts a command of Envoy.
                "links": [{"description": ErrorPages::DESCRIPTION, "url": pages.of(self.reason).replace('%', "%%")}],
            }));
        }
        json!({"json_format": {
            "code": i32::from(self.reason.code()),
            "message": self.message,
            "details": details,
        }})
    }

    /// The encoded `google.rpc.Status` for gRPC callers. It is static, so it cannot contain Envoy's text, which is in
    /// `grpc-message`, and the request id, which is in `x-request-id`.
    fn details(&self, pages: Option<&ErrorPages>) -> Vec<u8> {
        let message = self.message.split('%').next().unwrap_or_default().trim_end_matches(": ");
        let metadata = HashMap::from([("retryable".to_owned(), self.reason.is_retryable().to_string())]);
        let mut details = ErrorDetails::with_error_info(self.reason.as_str(), ERROR_DOMAIN, metadata);
        if self.retry {
            details.set_retry_info(Some(Duration::from_secs(1)));
        }
        if let Some(pages) = pages {
            details.add_help_link(ErrorPages::DESCRIPTION, pages.of(self.reason));
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
