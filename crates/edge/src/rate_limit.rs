//! How much one caller may ask for.

use serde_json::{Value, json};
use staymesh_contract::Contract;

use crate::{
    EdgeConfig, EdgeError, Limits,
    envoy::typed,
    jwt::{KEY_SET, SUBJECT_HEADER},
};

/// Callers whose buckets are remembered; beyond that the one unseen for longest is forgotten and starts afresh.
const CALLERS: u32 = 10_000;

/// Machines fetch this, few addresses for many people: it has a bucket of its own, this many times as large.
const MACHINE_FACTOR: u32 = 10;

/// The payment provider brings its events here. Its addresses have buckets of their own: what it brings gets through when
/// people storm the rest, and whoever storms this one takes nothing from anybody else. A signature is reckoned for each
/// that gets through, so it is no door without a limit.
const WEBHOOK: &str = "/staymesh.payment.v1.PspWebhookService/ReceivePspEvent";

/// A bucket for each account or client that is known by its token, and for each address where there is none. Each
/// Envoy counts for itself.
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
            // A bucket for what none of the others is for. There is no such thing, but the filter wants one.
            "token_bucket": bucket(limits, MACHINE_FACTOR),
            "always_consume_default_token_bucket": false,
            "max_dynamic_descriptors": CALLERS,
            "rate_limits": [
                by_subject(),
                by_address("unknown", &[without_subject(), elsewhere(&key_set), elsewhere(&webhook)]),
                by_address("machine", &[without_subject(), key_set]),
                // Whoever calls, with a token or without: nobody but the provider has business there.
                by_address("webhook", &[webhook]),
            ],
            // An entry without a value stands for every value, each with a bucket of its own.
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
