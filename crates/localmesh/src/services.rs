//! Names and properties of the services of a mesh.

/// The services in start order; they are stopped in reverse.
pub const SERVICES: [&str; 6] = ["identity", "hotel", "rate", "reservation", "payment", PROVIDER];

/// E-mail address of the first administrator.
pub const ADMIN_EMAIL: &str = "admin@staymesh.example";

/// The simulated payment provider.
pub(crate) const PROVIDER: &str = "psp-simulator";

/// Whether the service has a database of its own.
pub(crate) fn has_database(service: &str) -> bool {
    service != PROVIDER
}

/// Whether the service calls other services, and so is an OAuth 2.0 client of identity.
pub(crate) fn calls_others(service: &str) -> bool {
    service != PROVIDER
}

/// The OAuth 2.0 client id of the service.
pub(crate) fn client_id(service: &str) -> String {
    format!("staymesh-{service}")
}
