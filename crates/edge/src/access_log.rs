//! The access log: one JSON object per request, without bodies, tokens and queries.

use serde_json::{Value, json};

use crate::{EdgeConfig, envoy::typed, jwt::SUBJECT_HEADER, listener_kind::ListenerKind, lua};

pub(crate) fn log(config: &EdgeConfig, kind: ListenerKind) -> Value {
    let format = json!({"log_format": {
        "json_format": fields(kind),
        "omit_empty_values": true,
        "formatters": [{
            "name": "envoy.formatter.req_without_query",
            "typed_config": typed("envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery", json!({})),
        }],
    }});
    let (name, sink) = match &config.access_log {
        Some(path) => {
            let mut sink = format;
            sink["path"] = json!(path);
            ("envoy.access_loggers.file", typed("envoy.extensions.access_loggers.file.v3.FileAccessLog", sink))
        }
        None => {
            ("envoy.access_loggers.stdout", typed("envoy.extensions.access_loggers.stream.v3.StdoutAccessLog", format))
        }
    };
    json!({"name": name, "typed_config": sink, "filter": {"not_health_check_filter": {}}})
}

/// The code of the answer: from the Lua filter for gRPC-Web, whose trailers are part of the body, and from headers or trailers
/// otherwise.
fn grpc_code() -> String {
    let operators = json!({"operators": [
        {"command": "DYNAMIC_METADATA", "param": format!("{}:{}", lua::FILTER, lua::GRPC_CODE)},
        "GRPC_STATUS_NUMBER",
        {"command": "RESP", "param": "grpc-status"},
    ]});
    format!("%COALESCE({operators})%")
}

fn fields(kind: ListenerKind) -> Value {
    json!({
        "time": "%START_TIME%",
        "gateway": kind.name(),
        "request_id": "%REQ(X-REQUEST-ID)%",
        "method": "%REQ(X-ENVOY-ORIGINAL-METHOD?:METHOD)%",
        "path": "%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "rpc": "%REQ_WITHOUT_QUERY(:PATH)%",
        "protocol": "%PROTOCOL%",
        "code": "%RESPONSE_CODE%",
        "grpc_code": grpc_code(),
        "duration_ms": "%DURATION%",
        "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%",
        "subject": format!("%REQ({})%", SUBJECT_HEADER.to_ascii_uppercase()),
        "remote_address": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "upstream": "%UPSTREAM_CLUSTER%",
        "upstream_address": "%UPSTREAM_HOST%",
        "flags": "%RESPONSE_FLAGS%",
        "details": "%RESPONSE_CODE_DETAILS%",
    })
}
