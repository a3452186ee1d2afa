//! The services of the local mesh and what each is told by its environment.

use anyhow::Result;

use super::stack::Plan;

/// One service: its name in `staymesh serve NAME`, and whether it has a database.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) has_database: bool,
    /// Its settings besides those that all services share.
    pub(super) settings: fn(&Plan) -> Result<Settings>,
}

/// Environment variables and their values.
pub(super) type Settings = Vec<(&'static str, String)>;

/// In the order in which they are started; they are stopped in the opposite one.
pub(super) const SERVICES: [Service; 6] = [
    Service { name: "identity", has_database: true, settings: |_| Ok(Vec::new()) },
    Service { name: "hotel", has_database: true, settings: |plan| calls(plan, "hotel") },
    Service { name: "rate", has_database: true, settings: |plan| calls(plan, "rate") },
    Service { name: "reservation", has_database: true, settings: |plan| calls(plan, "reservation") },
    Service { name: "payment", has_database: true, settings: |plan| calls(plan, "payment") },
    Service { name: "psp-simulator", has_database: false, settings: |_| Ok(Vec::new()) },
];

/// Programs that are run once, after the services are ready and before the edge is.
pub(super) const EDGE_CONFIG: &str = "edge-config";

/// What all services are told.
pub(super) fn shared(plan: &Plan) -> Settings {
    vec![("STAYMESH_REDIS_URL", plan.redis_url.clone()), ("STAYMESH_LOG", "info".to_owned())]
}

/// What a service that calls others is told. It proves who it is to identity by a client secret of its own.
fn calls(plan: &Plan, service: &'static str) -> Result<Settings> {
    Ok(vec![
        ("STAYMESH_SERVICE_CLIENT_ID", format!("staymesh-{service}")),
        ("STAYMESH_SERVICE_CLIENT_SECRET", plan.secrets.get(&format!("client-{service}"))?),
        ("STAYMESH_IDENTITY_URL", plan.url("identity")?),
        ("STAYMESH_HOTEL_URL", plan.url("hotel")?),
        ("STAYMESH_RATE_URL", plan.url("rate")?),
        ("STAYMESH_RESERVATION_URL", plan.url("reservation")?),
        ("STAYMESH_PAYMENT_URL", plan.url("payment")?),
    ])
}
