//! The Lua filter, for what the transcoder does not do: read requests strictly, refuse wrong HTTP methods, set `Retry-After` and
//! `grpc-status`, and turn errors of page requests into HTML.

mod bindings;
mod pages;

use serde_json::{Value, json};
use staymesh_contract::{Binding, Contract};

use crate::envoy::typed;

/// Name of the filter, and key of its metadata on routes and requests.
pub(crate) const FILTER: &str = "envoy.filters.http.lua";

/// Dynamic metadata: the gRPC status code of the answer, for the access log.
pub(crate) const GRPC_CODE: &str = "grpc_code";

/// Dynamic metadata: the violations of a refused request, a list of `google.rpc.BadRequest.FieldViolation`.
pub(crate) const VIOLATIONS: &str = "violations";

const SOURCES: [&str; 5] = [
    include_str!("json.lua"),
    include_str!("query.lua"),
    include_str!("pages.lua"),
    include_str!("requests.lua"),
    include_str!("responses.lua"),
];

/// The filter. It precedes the transcoder, so it sees requests before and responses after transcoding, both as JSON.
pub(crate) fn filter(contract: &Contract) -> Value {
    let names = format!("local FILTER, GRPC_CODE, VIOLATIONS = \"{FILTER}\", \"{GRPC_CODE}\", \"{VIOLATIONS}\"\n");
    let source = [names, bindings::tables(contract), pages::tables(), SOURCES.join("\n")].concat();
    json!({
        "name": FILTER,
        "typed_config": typed("envoy.extensions.filters.http.lua.v3.Lua", json!({
            "default_source_code": {"inline_string": source},
        })),
    })
}

/// Route metadata: the REST form, whose definition is in the script.
pub(crate) fn request(binding: &Binding) -> Value {
    json!({"filter_metadata": {FILTER: {"binding": bindings::key(binding)}}})
}

/// Route metadata: the path exists for other HTTP methods, which are named (`GET, HEAD`).
pub(crate) fn allow(verbs: &str) -> Value {
    json!({"filter_metadata": {FILTER: {"allow": verbs}}})
}

/// Route metadata: no method has this path.
pub(crate) fn no_method() -> Value {
    json!({"filter_metadata": {FILTER: {"no_method": true}}})
}

/// Route metadata: errors have the members of RFC 6749 as well.
pub(crate) fn oauth() -> Value {
    json!({"filter_metadata": {FILTER: {"oauth": true}}})
}

/// Route metadata: responses are HTML pages, errors too.
pub(crate) fn page() -> Value {
    json!({"filter_metadata": {FILTER: {"page": true}}})
}
