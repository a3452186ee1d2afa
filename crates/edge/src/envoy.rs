//! How Envoy's configuration spells common values in the JSON form of Protocol Buffers.

use serde_json::{Value, json};

/// The `google.protobuf.Any` of the message `name` with these fields, as Envoy's extensions are configured.
pub(crate) fn typed(name: &str, mut fields: Value) -> Value {
    fields["@type"] = json!(format!("type.googleapis.com/{name}"));
    fields
}

/// A socket address.
pub(crate) fn address(at: std::net::SocketAddr) -> Value {
    json!({"socket_address": {"address": at.ip().to_string(), "port_value": at.port()}})
}

/// A duration of whole seconds.
pub(crate) fn seconds(count: u32) -> String {
    format!("{count}s")
}
