//! Environment settings of each service in a mesh on one machine.

use std::{net::SocketAddr, path::Path};

use anyhow::Result;
use base64::{Engine, prelude::BASE64_STANDARD};
use staymesh_devenv::repository;

use crate::{
    plan::Plan,
    services::{PROVIDER, calls_others, client_id},
};

type Settings = Vec<(&'static str, String)>;

/// The settings of a service.
pub(crate) fn of(service: &str, plan: &Plan) -> Result<Settings> {
    let mut settings = Settings::new();
    if let Some(database) = plan.databases.get(service) {
        let (listen, operations) = plan.address(service)?;
        settings.extend([
            ("STAYMESH_LISTEN", listen.to_string()),
            ("STAYMESH_OPS_LISTEN", operations.to_string()),
            ("STAYMESH_DATABASE_URL", database.clone()),
            ("STAYMESH_TOKEN_ISSUER", issuer(plan)),
            ("STAYMESH_REDIS_URL", plan.redis_url.clone()),
            ("STAYMESH_ERROR_PAGES_URL", error_pages()),
            // All callers of a local mesh share the loopback address.
            ("STAYMESH_MAX_CONCURRENCY_PER_SOURCE", "1024".to_owned()),
            ("STAYMESH_MAX_CONCURRENCY_PER_CLIENT", "1024".to_owned()),
            // No load balancer has to notice that a process of this machine stops. The least that a duration may be.
            ("STAYMESH_SHUTDOWN_DELAY", "1ms".to_owned()),
        ]);
    }
    if calls_others(service) {
        settings.extend([
            ("STAYMESH_SERVICE_CLIENT_ID", client_id(service)),
            ("STAYMESH_SERVICE_CLIENT_SECRET", plan.secrets.get(&format!("client-{service}"))?),
            ("STAYMESH_IDENTITY_URL", plan.url("identity")?),
            ("STAYMESH_HOTEL_URL", plan.url("hotel")?),
            ("STAYMESH_RATE_URL", plan.url("rate")?),
            ("STAYMESH_RESERVATION_URL", plan.url("reservation")?),
            ("STAYMESH_PAYMENT_URL", plan.url("payment")?),
        ]);
    }
    settings.extend(own(service, plan)?);
    Ok(settings)
}

/// Issuer of tokens: the base URL at which clients find the metadata of the authorization server.
fn issuer(plan: &Plan) -> String {
    format!("http://{}", plan.public)
}

/// Where errors link to: the pages in the repository.
fn error_pages() -> String {
    format!("file://{}/docs/errors/{{reason}}.md", repository().display())
}

/// Settings of this service alone.
fn own(service: &str, plan: &Plan) -> Result<Settings> {
    Ok(match service {
        "identity" => {
            let mut own = mails(plan);
            own.push(("STAYMESH_IDENTITY_KEY_ENCRYPTION_KEY", key(plan, "key-encryption-key")?));
            own
        }
        "reservation" => {
            let mut own = mails(plan);
            own.push(("STAYMESH_OFFER_KEYS", format!("local:{}", key(plan, "offer-key")?)));
            own
        }
        "payment" => vec![
            ("STAYMESH_PUBLIC_URL", format!("http://{}", plan.public)),
            ("STAYMESH_STATUS_LINK_KEYS", key(plan, "status-link-key")?),
            // Enough for load tests and replays.
            ("STAYMESH_PARTNER_CREDIT_DEFAULT", "EUR=1000000000,USD=1000000000,JPY=100000000000".to_owned()),
            ("STAYMESH_PSP", "simulator".to_owned()),
            ("STAYMESH_PSP_URL", plan.url(PROVIDER)?),
            ("STAYMESH_PSP_API_KEY", plan.secrets.get("psp-api-key")?),
            ("STAYMESH_PSP_WEBHOOK_SECRETS", plan.secrets.get("psp-webhook-secret")?),
        ],
        PROVIDER => vec![
            ("STAYMESH_PSP_SIMULATOR_LISTEN", plan.address(PROVIDER)?.0.to_string()),
            ("STAYMESH_PSP_SIMULATOR_STATE", text(&plan.provider_journal())),
            ("STAYMESH_PSP_API_KEY", plan.secrets.get("psp-api-key")?),
            ("STAYMESH_PSP_WEBHOOK_SECRET", plan.secrets.get("psp-webhook-secret")?),
            ("STAYMESH_PSP_WEBHOOK_URL", format!("http://{}/v1/webhooks/simulator", plan.public)),
        ],
        _ => Settings::new(),
    })
}

/// Settings of a service that sends mails: into a folder.
fn mails(plan: &Plan) -> Settings {
    vec![
        ("STAYMESH_SMTP_URL", format!("file://{}", plan.mails().display())),
        ("STAYMESH_MAIL_FROM", "Staymesh <booking@staymesh.example>".to_owned()),
        ("STAYMESH_PUBLIC_URL", format!("http://{}", plan.public)),
    ]
}

/// Token buckets of one address.
const ADDRESS_LIMITS: [&str; 8] = [
    "STAYMESH_EDGE_ADDRESS_REQUESTS_PER_SECOND",
    "STAYMESH_EDGE_ADDRESS_BURST",
    "STAYMESH_EDGE_LOGINS_PER_SECOND",
    "STAYMESH_EDGE_LOGIN_BURST",
    "STAYMESH_EDGE_SIGN_UPS_PER_SECOND",
    "STAYMESH_EDGE_SIGN_UP_BURST",
    "STAYMESH_EDGE_TOKENS_PER_SECOND",
    "STAYMESH_EDGE_TOKEN_BURST",
];

/// Settings of the edge's configuration.
pub(crate) fn of_edge(plan: &Plan, dir: &Path, admin: SocketAddr, logs: &Path) -> Result<Settings> {
    let address = |service| plan.address(service).map(|(listen, _)| listen.to_string());
    let mut settings = vec![
        ("STAYMESH_TOKEN_ISSUER", issuer(plan)),
        ("STAYMESH_ERROR_PAGES_URL", error_pages()),
        ("STAYMESH_EDGE_PUBLIC_LISTEN", plan.public.to_string()),
        ("STAYMESH_EDGE_INTERNAL_LISTEN", plan.internal.to_string()),
        ("STAYMESH_EDGE_ADMIN_LISTEN", admin.to_string()),
        ("STAYMESH_EDGE_DESCRIPTOR_SET", text(&dir.join("contract.binpb"))),
        ("STAYMESH_EDGE_ACCESS_LOG", text(&logs.join("access.log"))),
        ("STAYMESH_EDGE_IDENTITY", address("identity")?),
        ("STAYMESH_EDGE_HOTEL", address("hotel")?),
        ("STAYMESH_EDGE_RATE", address("rate")?),
        ("STAYMESH_EDGE_RESERVATION", address("reservation")?),
        ("STAYMESH_EDGE_PAYMENT", address("payment")?),
    ];
    // All callers of a local mesh share the loopback address.
    settings.extend(ADDRESS_LIMITS.map(|name| (name, "100000".to_owned())));
    Ok(settings)
}

/// 32 random bytes in base64.
fn key(plan: &Plan, name: &str) -> Result<String> {
    Ok(BASE64_STANDARD.encode(hex::decode(plan.secrets.get(name)?)?))
}

/// A path as the value of a setting.
fn text(path: &Path) -> String {
    path.display().to_string()
}
