//! Rate limits per caller: token buckets in each Envoy.

use serde_json::{Value, json};
use staymesh_contract::Contract;

use crate::{
    EdgeConfig, EdgeError, Limits,
    envoy::typed,
    jwt::{KEY_SET, SUBJECT_HEADER},
    template,
};

/// Health of the upstream, beside the contract: one answer, or a stream of changes.
pub(crate) const HEALTH: &str = "grpc.health.v1.Health";
/// Reflection services, beside the contract. Each describes what the gateway serves at every service, so one upstream is
/// enough.
pub(crate) const REFLECTION: [&str; 2] =
    ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// Number of buckets that are kept of each kind; beyond it the least recently used one is evicted, and its caller starts with
/// a full one. That is no amnesty: evicting one's own bucket takes a request from each of this many other addresses, more
/// than any bucket holds, and an idle bucket is full again within seconds. [`SITE_FACTOR`] keeps the addresses of one IPv6
/// site from doing it.
const CALLERS: u32 = 20_000;

/// The addresses of one IPv6 site, a /48, share a bucket that is this many times as large as that of one address.
const SITE_FACTOR: u32 = 8;

/// Leading bits of an IPv6 address that one customer of a network has at least, and one site at most.
const ADDRESS: u32 = 64;
const SITE: u32 = 48;

/// The key set is fetched by machines, a few addresses on behalf of many users: its bucket is this many times as large.
const MACHINE_FACTOR: u32 = 10;

/// The payment provider sends its events here. The method has buckets of its own: events get through while other methods are
/// flooded, and flooding this one affects no other. It is limited, too, because each event costs a signature check.
pub(crate) const WEBHOOK: &str = "/staymesh.payment.v1.PspWebhookService/ReceivePspEvent";

/// Methods that cost much and need no token, each with buckets of its own by address.
const LOGIN: [&str; 2] =
    ["/staymesh.identity.v1.AuthService/Login", "/staymesh.identity.v1.AuthService/OpenGuestAccess"];
const TOKEN: &str = "/staymesh.identity.v1.OAuthService/IssueToken";
/// The same over gRPC.
const CLIENT_TOKEN: &str = "/staymesh.identity.v1.AuthService/IssueClientToken";
const SIGN_UP: [&str; 2] =
    ["/staymesh.identity.v1.UserService/CreateUser", "/staymesh.identity.v1.AuthService/CreateGuestSession"];

/// Buckets per account or client with a token, per address for requests without one, and per address for all its requests,
/// whatever token they carry. A request takes a token from each bucket that it has. Each Envoy counts separately.
pub(crate) fn filter(config: &EdgeConfig, contract: &Contract) -> Result<Value, EdgeError> {
    let limits = &config.limits;
    let addresses = &config.addresses;
    let key_set = at(&[contract.fixed_path(KEY_SET)?]);
    let webhook = at(&[contract.only_template(WEBHOOK)?, WEBHOOK]);
    let not_machines = [elsewhere(&key_set), elsewhere(&webhook)];
    let unknown = [without_subject(), elsewhere(&key_set), elsewhere(&webhook)];
    let of = |[one, other]: [&'static str; 2]| {
        Ok::<_, EdgeError>(at(&[contract.fixed_path(one)?, one, contract.fixed_path(other)?, other]))
    };
    let all = tokens(addresses.address_requests_per_second, addresses.address_burst);
    let site = tokens(
        addresses.address_requests_per_second.saturating_mul(SITE_FACTOR),
        addresses.address_burst.saturating_mul(SITE_FACTOR),
    );
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
                by_address("unknown", &unknown, ADDRESS),
                by_address("address", &not_machines, ADDRESS),
                by_address("site", &not_machines, SITE),
                // With or without a token, which anybody can have.
                by_address("machine", &[key_set], ADDRESS),
                by_address("webhook", &[webhook], ADDRESS),
                by_address("login", &[of(LOGIN)?], ADDRESS),
                by_address("sign_up", &[of(SIGN_UP)?], ADDRESS),
                by_address("token", &[at(&[contract.fixed_path(TOKEN)?, TOKEN, CLIENT_TOKEN])], ADDRESS),
                by_address("stream", &[below(&[HEALTH, REFLECTION[0], REFLECTION[1]])], ADDRESS),
            ],
            // An entry without a value matches every value, with one bucket each.
            "descriptors": [
                {"entries": [{"key": "subject"}], "token_bucket": bucket(limits, 1)},
                each("unknown", &bucket(limits, 1)),
                each("address", &all),
                each("site", &site),
                each("machine", &bucket(limits, MACHINE_FACTOR)),
                each("webhook", &tokens(limits.webhooks_per_second, limits.webhook_burst)),
                each("login", &tokens(addresses.logins_per_second, addresses.login_burst)),
                each("sign_up", &tokens(addresses.sign_ups_per_second, addresses.sign_up_burst)),
                each("token", &tokens(addresses.tokens_per_second, addresses.token_burst)),
                each("stream", &tokens(addresses.streams_per_second, addresses.stream_burst)),
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

/// `v6_bits` of an IPv6 address tell callers apart; an IPv4 address does so as a whole.
fn by_address(kind: &str, headers: &[Value], v6_bits: u32) -> Value {
    json!({"actions": [
        {"header_value_match": {"descriptor_key": "caller", "descriptor_value": kind, "headers": headers}},
        {"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": v6_bits}},
    ]})
}

/// A path of one of these templates, whatever query follows it. The transcoder ignores a trailing slash.
fn at(templates: &[&str]) -> Value {
    let any = templates.iter().map(|template| template::expression(template)).collect::<Vec<_>>().join("|");
    json!({"name": ":path", "string_match": {"safe_regex": {"regex": format!(r"({any})/?(\?.*)?")}}})
}

/// Any method of these services.
fn below(services: &[&str]) -> Value {
    let any = services.join("|").replace('.', r"\.");
    json!({"name": ":path", "string_match": {"safe_regex": {"regex": format!(r"/({any})/.*")}}})
}

fn elsewhere(at: &Value) -> Value {
    let mut elsewhere = at.clone();
    elsewhere["invert_match"] = json!(true);
    elsewhere
}

fn without_subject() -> Value {
    json!({"name": SUBJECT_HEADER, "present_match": true, "invert_match": true})
}

/// One bucket for each address of this kind.
fn each(kind: &str, token_bucket: &Value) -> Value {
    json!({
        "entries": [{"key": "caller", "value": kind}, {"key": "masked_remote_address"}],
        "token_bucket": token_bucket,
    })
}

fn bucket(limits: &Limits, factor: u32) -> Value {
    tokens(limits.requests_per_second.saturating_mul(factor), limits.burst.saturating_mul(factor))
}

fn tokens(per_second: u32, burst: u32) -> Value {
    json!({"max_tokens": burst, "tokens_per_fill": per_second, "fill_interval": "1s"})
}
