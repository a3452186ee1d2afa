//! Configuration of a service's database: address, pool size, timeouts.

use std::time::Duration;

use secrecy::SecretString;
use staymesh_domain::parse_duration;

/// Settings of a service's database, read from the environment by `clap`.
///
/// Durations are written with their unit: `2s`, `500ms`, `1m`.
#[derive(Debug, Clone, clap::Args)]
pub struct StoreConfig {
    /// `postgres://user:password@host:port/database`. Prefer the environment: every user of the machine can
    /// read the arguments of a process.
    #[arg(long, env = "STAYMESH_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,

    /// Upper limit of connections of this process; the readiness probe has one more, and each lane of the booking writer two. All replicas together must stay below the server's `max_connections`.
    #[arg(long, env = "STAYMESH_DATABASE_MAX_CONNECTIONS", default_value_t = 16)]
    pub database_max_connections: u32,

    /// Longest wait for a connection, including opening one; then the request fails as unavailable.
    #[arg(long, env = "STAYMESH_DATABASE_ACQUIRE_TIMEOUT", default_value = "2s", value_parser = parse_duration)]
    pub database_acquire_timeout: Duration,

    /// Longest run of one statement, enforced by the server.
    #[arg(long, env = "STAYMESH_DATABASE_STATEMENT_TIMEOUT", default_value = "5s", value_parser = parse_duration)]
    pub database_statement_timeout: Duration,

    /// Longest wait for a lock, enforced by the server. Shorter than the statement timeout, so that the error shows which one was exceeded.
    #[arg(long, env = "STAYMESH_DATABASE_LOCK_TIMEOUT", default_value = "3s", value_parser = parse_duration)]
    pub database_lock_timeout: Duration,

    /// Longest idle time inside a transaction before the server ends it. Bounds how long a stalled process holds locks.
    #[arg(long, env = "STAYMESH_DATABASE_IDLE_IN_TRANSACTION_TIMEOUT", default_value = "10s", value_parser = parse_duration)]
    pub database_idle_in_transaction_timeout: Duration,

    /// Name of this process in the server's views and logs.
    #[arg(long, env = "STAYMESH_DATABASE_APPLICATION_NAME", default_value = "staymesh")]
    pub database_application_name: String,

    /// Plan each prepared statement once for all values (`force_generic_plan`) instead of choosing at each execution. For
    /// statements that always use the same plan, where planning costs more than executing.
    #[arg(skip)]
    pub database_plan_once: bool,
}

impl StoreConfig {
    /// The default settings for this database.
    pub fn new(database_url: impl Into<SecretString>) -> Self {
        Self {
            database_url: database_url.into(),
            database_max_connections: 16,
            database_acquire_timeout: Duration::from_secs(2),
            database_statement_timeout: Duration::from_secs(5),
            database_lock_timeout: Duration::from_secs(3),
            database_idle_in_transaction_timeout: Duration::from_secs(10),
            database_application_name: "staymesh".to_owned(),
            database_plan_once: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        store: StoreConfig,
    }

    fn parse(args: &[&str]) -> Result<StoreConfig, clap::Error> {
        let url = ["program", "--database-url", "postgres://u:pass@localhost/db"];
        Program::try_parse_from(url.iter().chain(args)).map(|program| program.store)
    }

    #[test]
    fn new_and_parsed_defaults_are_equal() {
        let (parsed, made) = (parse(&[]).unwrap(), StoreConfig::new("postgres://u:pass@localhost/db"));
        assert_eq!(parsed.database_url.expose_secret(), made.database_url.expose_secret());
        assert_eq!(format!("{parsed:?}"), format!("{made:?}"));
    }

    #[test]
    fn debug_hides_the_password() {
        assert!(!format!("{:?}", parse(&[]).unwrap()).contains("pass@"));
    }

    #[test]
    fn timeouts_cannot_be_disabled() {
        for text in ["0s", "-1s", "2", "forever", "25h", ""] {
            assert!(parse(&["--database-lock-timeout", text]).is_err(), "{text}");
        }
        assert_eq!(parse(&["--database-lock-timeout", "1500ms"]).unwrap().database_lock_timeout.as_millis(), 1500);
    }
}
