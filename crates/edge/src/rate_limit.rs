//! How much one caller may ask for.

use serde_json::{Value, json};

use crate::{
    EdgeConfig, EdgeError, Limits,
    bootstrap::typed,
    contract::Contract,
    jwt::{KEY_SET, SUBJECT_HEADER},
};

/// Callers whose buckets are remembered; beyond that the one unseen for longest is forgotten and starts afresh.
const CALLERS: u32 = 10_000;

/// Machines call these, few addresses for many people, and what they bring must get through when people storm the rest:
/// they have buckets of their own, this many times as large.
const MACHINE_PATHS: [&str; 2] = [KEY_SET, "/staymesh.payment.v1.PspWebhookService/ReceivePspEvent"];
const MACHINE_FACTOR: u32 = 10;

/// A bucket for each account or client that is known by its token, and for each address where there is none. Each
/// Envoy counts for itself.
pub(crate) fn filter(config: &EdgeConfig, contract: &Contract) -> Result<Value, EdgeError> {
    let limits = &config.limits;
    let machine_paths =
        MACHINE_PATHS.map(|path| contract.fixed_path(path)).into_iter().collect::<Result<Vec<_>, _>>()?;
    let address = json!({"key": "remote_address"});
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    Ok(json!({
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": typed("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", json!({
            "stat_prefix": "callers",
            "filter_enabled": always,
            "filter_enforced": always,
            // A bucket for what none of the others is for. There is no such thing, but the filter wants one.
            "token_bucket": bucket(limits, MACHINE_FACTOR),
            "always_consume_default_token_bucket": false,
            "max_dynamic_descriptors": CALLERS,
            "rate_limits": [by_subject(), by_address(&machine_paths), by_machine(&machine_paths)],
            // An entry without a value stands for every value, each with a bucket of its own.
            "descriptors": [
                {"entries": [{"key": "subject"}], "token_bucket": bucket(limits, 1)},
                {"entries": [kind("unknown"), address], "token_bucket": bucket(limits, 1)},
                {"entries": [kind("machine"), address], "token_bucket": bucket(limits, MACHINE_FACTOR)},
            ],
            "rate_limited_as_resource_exhausted": true,
        })),
    }))
}

fn by_subject() -> Value {
    json!({"actions": [
        {"request_headers": {"header_name": SUBJECT_HEADER, "descriptor_key": "subject", "skip_if_absent": false}},
    ]})
}

fn by_address(machine_paths: &[&str]) -> Value {
    let mut headers = vec![json!({"name": SUBJECT_HEADER, "present_match": true, "invert_match": true})];
    headers.extend(
        machine_paths
            .iter()
            .map(|path| json!({"name": ":path", "string_match": {"exact": path}, "invert_match": true})),
    );
    json!({"actions": [
        {"header_value_match": {"descriptor_key": "caller", "descriptor_value": "unknown", "headers": headers}},
        {"remote_address": {}},
    ]})
}

fn by_machine(machine_paths: &[&str]) -> Value {
    let any = machine_paths.iter().map(|path| regex_literal(path)).collect::<Vec<_>>().join("|");
    json!({"actions": [
        {"header_value_match": {"descriptor_key": "caller", "descriptor_value": "machine", "headers": [
            {"name": SUBJECT_HEADER, "present_match": true, "invert_match": true},
            {"name": ":path", "string_match": {"safe_regex": {"regex": any}}},
        ]}},
        {"remote_address": {}},
    ]})
}

fn regex_literal(path: &str) -> String {
    path.replace('.', r"\.")
}

fn kind(value: &str) -> Value {
    json!({"key": "caller", "value": value})
}

fn bucket(limits: &Limits, factor: u32) -> Value {
    json!({
        "max_tokens": limits.burst.saturating_mul(factor),
        "tokens_per_fill": limits.requests_per_second.saturating_mul(factor),
        "fill_interval": "1s",
    })
}
