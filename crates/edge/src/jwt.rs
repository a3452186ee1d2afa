//! Authentication: verifies access tokens before any other part of the request is read.

use serde_json::{Value, json};
use staymesh_contract::{Binding, Contract, Method, Service};

use crate::{EdgeConfig, EdgeError, clusters, envoy::typed, listener_kind::ListenerKind, rest_methods, template};

/// Header with the `sub` of the verified token, for the access log, rate limits, and the shares of clients in the services.
/// Callers cannot set it.
pub(crate) const SUBJECT_HEADER: &str = "x-staymesh-subject";

/// The method that returns identity's key set.
pub(crate) const KEY_SET: &str = "/staymesh.identity.v1.AuthService/GetKeySet";

const PROVIDER: &str = "identity";

pub(crate) fn filter(config: &EdgeConfig, contract: &Contract, kind: ListenerKind) -> Result<Value, EdgeError> {
    Ok(json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": typed("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", json!({
            "providers": {PROVIDER: provider(config, contract)?},
            "rules": rules(contract, kind),
        })),
    }))
}

fn provider(config: &EdgeConfig, contract: &Contract) -> Result<Value, EdgeError> {
    let path = contract.fixed_path(KEY_SET)?;
    Ok(json!({
        "issuer": config.issuer,
        "audiences": [config.audience],
        "require_expiration": true,
        "clock_skew_seconds": 5,
        // By default Envoy also accepts a token in the query, which would appear in logs.
        // The token follows the space after the scheme, whose case does not matter (RFC 9110, section 11.1). Services check the
        // scheme itself.
        "from_headers": [{"name": "authorization", "value_prefix": " "}],
        // Services verify the token again.
        "forward": true,
        "claim_to_headers": [{"header_name": SUBJECT_HEADER, "claim_name": "sub"}],
        "jwt_cache_config": {"jwt_cache_size": 1000},
        "remote_jwks": {
            "http_uri": {
                "uri": format!("http://localhost{path}"),
                "cluster": clusters::SELF,
                "timeout": "2s",
            },
            "cache_duration": "60s",
            // Start the listener before the first fetch, which goes through it; identity may also start later.
            "async_fetch": {"fast_listener": true, "failed_refetch_duration": "1s"},
        },
    }))
}

/// The first matching rule applies. A path without a rule needs no token and gets 404 from the routes. The public listener
/// has no rules for methods of the internal gateway: the routes refuse them for every caller.
fn rules(contract: &Contract, kind: ListenerKind) -> Vec<Value> {
    let services: Vec<&Service> = contract.exposed_services().filter(|service| kind.serves(service.gateway)).collect();
    let methods = |anonymous: bool| -> Vec<&Method> {
        services.iter().flat_map(|s| &s.methods).filter(|m| m.anonymous == anonymous).collect()
    };
    let needed = json!({"provider_name": PROVIDER});
    // An expired token must not prevent a login; a valid one still identifies the caller.
    let optional = json!({"requires_any": {"requirements": [needed, {"allow_missing_or_failed": {}}]}});
    let mut rules = rest_rules(&methods(false), &needed);
    rules.extend(rest_rules(&methods(true), &optional));
    for method in methods(true) {
        rules.push(json!({"match": {"path": method.path}, "requires": optional}));
    }
    for service in services {
        rules.push(json!({"match": {"prefix": format!("/{}/", service.name)}, "requires": needed}));
    }
    rules
}

/// One rule per HTTP method, with the paths of all these gRPC methods in one expression.
fn rest_rules(methods: &[&Method], requires: &Value) -> Vec<Value> {
    let bindings: Vec<&Binding> = methods.iter().flat_map(|method| &method.bindings).collect();
    let mut verbs: Vec<&str> = bindings.iter().map(|binding| binding.verb).collect();
    verbs.sort_unstable();
    verbs.dedup();
    verbs
        .into_iter()
        .filter_map(|verb| {
            let paths = template::any_of(
                bindings.iter().filter(|binding| binding.verb == verb).map(|binding| binding.template.as_str()),
            )?;
            Some(json!({
                "match": {
                    "safe_regex": {"regex": paths},
                    "headers": [rest_methods::is_served(verb)],
                },
                "requires": requires,
            }))
        })
        .collect()
}
