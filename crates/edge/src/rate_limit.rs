//! Rate limits per caller: token buckets in each Envoy.

use serde_json::{Value, json};
use staymesh_contract::Contract;

use crate::{
    EdgeConfig, EdgeError, Limits,
    envoy::typed,
    jwt::{KEY_SET, SUBJECT_HEADER},
};

/// Number of buckets that are kept; beyond it the least recently used one is evicted, and its caller starts with a full one.
const CALLERS: u32 = 10_000;

/// The key set is fetched by machines, a few addresses on behalf of many users: its bucket is this many times as large.
const MACHINE_FACTOR: u32 = 10;

/// The payment provider sends its events here. The method has buckets of its own: events get through while other methods are
/// flooded, and flooding this one affects no other. It is limited, too, because each event costs a signature check.
const WEBHOOK: &str = "/staymesh.payment.v1.PspWebhookService/ReceivePspEvent";

/// One bucket per account or client with a token, and per address for requests without one. Each Envoy counts separately.
pub(crate) fn filter(config: &EdgeConfig, contract: &Contract) -> Result<Value, EdgeError> {
    let limits = &config.limits;
    let key_set = at(&[contract.fixed_path(KEY_SET)?]);
    let webhook = at(&[contract.fixed_path(WEBHOOK)?, WEBHOOK]);
    let address = json!({"key": "remote_address"});
    let always = json!({"default_value": {"numerator": 100, "denominator": "HUNDRED"}});
    Ok(json!({
        "name": "envoy.filters.http.local_ratelimit",
        "typed_config": typed("envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit", json!({
            "stat_prefix": "callers",
            "filter_enabled": always,
            "filter_enforced": always,
            // The filter requires a default bucket. No request uses it.
            "token_bucket": bucket(limits, MACHINE_FACTOR),
            "always_consume_default_token_bucket": false,
            "max_dynamic_descriptors": CALLERS,
            "rate_limits": [
                by_subject(),
                by_address("unknown", &[without_subject(), elsewhere(&key_set), elsewhere(&webhook)]),
                by_address("machine", &[without_subject(), key_set]),
                // With or without a token: only the provider calls this method.
                by_address("webhook", &[webhook]),
            ],
            // An entry without a value matches every value, with one bucket each.
            "descriptors": [
                {"entries": [{"key": "subject"}], "token_bucket": bucket(limits, 1)},
                {"entries": [kind("unknown"), address], "token_bucket": bucket(limits, 1)},
                {"entries": [kind("machine"), address], "token_bucket": bucket(limits, MACHINE_FACTOR)},
                {"entries": [kind("webhook"), address],
                    "token_bucket": tokens(limits.webhooks_per_second, limits.webhook_burst)},
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

fn by_address(kind: &str, headers: &[Value]) -> Value {
    json!({"actions": [
        {"header_value_match": {"descriptor_key": "caller", "descriptor_value": kind, "headers": headers}},
        {"remote_address": {}},
    ]})
}

/// One of these paths, whatever query follows it.
fn at(paths: &[&str]) -> Value {
    let any = paths.iter().map(|path| path.replace('.', r"\.")).collect::<Vec<_>>().join("|");
    json!({"name": ":path", "string_match": {"safe_regex": {"regex": format!(r"({any})(\?.*)?")}}})
}

fn elsewhere(at: &Value) -> Value {
    let mut elsewhere = at.clone();
    elsewhere["invert_match"] = json!(true);
    elsewhere
}

fn without_subject() -> Value {
    json!({"name": SUBJECT_HEADER, "present_match": true, "invert_match": true})
}

fn kind(value: &str) -> Value {
    json!({"key": "caller", "value": value})
}

fn bucket(limits: &Limits, factor: u32) -> Value {
    tokens(limits.requests_per_second.saturating_mul(factor), limits.burst.saturating_mul(factor))
}

fn tokens(per_second: u32, burst: u32) -> Value {
    json!({"max_tokens": burst, "tokens_per_fill": per_second, "fill_interval": "1s"})
}
