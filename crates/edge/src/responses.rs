//! What the edge does to answers in JSON.

use serde_json::{Value, json};

use crate::bootstrap::typed;

/// The filter's name is also where Envoy looks for a route's metadata for it.
const FILTER: &str = "envoy.filters.http.lua";

/// Stands before the transcoder in the chain, so it sees answers after it, as JSON.
pub(crate) fn filter() -> Value {
    json!({
        "name": FILTER,
        "typed_config": typed("envoy.extensions.filters.http.lua.v3.Lua", json!({
            "default_source_code": {"inline_string": include_str!("responses.lua")},
        })),
    })
}

/// The metadata of a route whose answers in JSON are the value of this field alone.
pub(crate) fn unwrap(field: &str) -> Value {
    json!({"filter_metadata": {FILTER: {"response_body": field}}})
}
