//! HTTP methods of REST paths: `HEAD` beside `GET`, and 405 with `Allow` for a path that exists for other methods.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use staymesh_contract::{Binding, Contract};

use crate::{listener_kind::ListenerKind, lua, template};

/// The order in `Allow`.
const ORDER: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// Matches the HTTP methods that a binding serves: its own, and `HEAD` if that is `GET` (RFC 9110, section 9.3.2).
pub(crate) fn is_served(verb: &str) -> Value {
    let expected = if verb == "GET" { json!({"safe_regex": {"regex": "GET|HEAD"}}) } else { json!({"exact": verb}) };
    json!({"name": ":method", "string_match": expected})
}

/// Routes that follow those of the REST forms: they select what the Lua filter answers, and no request is sent by them.
pub(crate) fn routes(contract: &Contract, kind: ListenerKind) -> Vec<Value> {
    let (mut elsewhere, mut here) = (Vec::new(), BTreeMap::<String, Vec<&str>>::new());
    for service in contract.exposed_services() {
        for binding in service.methods.iter().flat_map(|method| &method.bindings) {
            let Some(path) = template::any_of([binding.template.as_str()]) else { continue };
            if kind.serves(service.gateway) {
                here.entry(path).or_default().push(binding.verb);
            } else {
                elsewhere.push(refused(binding, &path));
            }
        }
    }
    elsewhere.into_iter().chain(here.iter().map(|(path, verbs)| not_allowed(path, verbs))).collect()
}

/// A REST form of the other gateway: without 405, so that the transcoder selects the route that refuses it.
fn refused(binding: &Binding, path: &str) -> Value {
    json!({
        "match": {"safe_regex": {"regex": path}, "headers": [is_served(binding.verb)]},
        "direct_response": {"status": 403},
    })
}

fn not_allowed(path: &str, verbs: &[&str]) -> Value {
    let served = |verb: &&str| verbs.contains(verb) || *verb == "HEAD" && verbs.contains(&"GET");
    let allow = ORDER.into_iter().filter(|verb| served(verb)).collect::<Vec<_>>().join(", ");
    json!({
        "match": {"safe_regex": {"regex": path}},
        "metadata": lua::allow(&allow),
        "direct_response": {"status": 405},
    })
}
