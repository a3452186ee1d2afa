//! How a service reaches its database.

use std::time::Duration;

use secrecy::SecretString;
use staymesh_domain::parse_duration;

/// Settings of a service's database; `clap` reads them from the environment.
///
/// Durations are written with their unit: `2s`, `500ms`, `1m`.
#[derive(Debug, Clone, clap::Args)]
pub struct StoreConfig {
    /// `postgres://user:password@host:port/database`. Better given in the environment than as an argument, which
    /// every user of the machine can read.
    #[arg(long, env = "STAYMESH_DATABASE_URL", hide_env_values = true)]
    pub database_url: SecretString,

    /// Most connections this process holds for its work; readiness has one more, and the lanes of the booking writer two each. All replicas together must stay below the server's `max_connections`.
    #[arg(long, env = "STAYMESH_DATABASE_MAX_CONNECTIONS", default_value_t = 16)]
    pub database_max_connections: u32,

    /// Longest wait for a connection, a new one included; then the request fails as unavailable.
    #[arg(long, env = "STAYMESH_DATABASE_ACQUIRE_TIMEOUT", default_value = "2s", value_parser = parse_duration)]
    pub database_acquire_timeout: Duration,

    /// Longest run of one statement, enforced by the server.
    #[arg(long, env = "STAYMESH_DATABASE_STATEMENT_TIMEOUT", default_value = "5s", value_parser = parse_duration)]
    pub database_statement_timeout: Duration,

    /// Longest wait for a lock, enforced by the server. Shorter than a statement, so that the error tells them apart.
    #[arg(long, env = "STAYMESH_DATABASE_LOCK_TIMEOUT", default_value = "3s", value_parser = parse_duration)]
    pub database_lock_timeout: Duration,

    /// Longest pause inside a transaction before the server ends it: what a stalled process may hold up.
    #[arg(long, env = "STAYMESH_DATABASE_IDLE_IN_TRANSACTION_TIMEOUT", default_value = "10s", value_parser = parse_duration)]
    pub database_idle_in_transaction_timeout: Duration,

    /// What the server's own views and logs call this process.
    #[arg(long, env = "STAYMESH_DATABASE_APPLICATION_NAME", default_value = "staymesh")]
    pub database_application_name: String,

    /// Have the server plan each statement once for any values, instead of weighing that anew with every use: right for
    /// statements that are always run the same way, where planning costs more than running.
    #[arg(skip)]
    pub database_plan_once: bool,
}

impl StoreConfig {
    /// The defaults, for this database.
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
    fn both_ways_to_the_defaults_agree() {
        let (parsed, made) = (parse(&[]).unwrap(), StoreConfig::new("postgres://u:pass@localhost/db"));
        assert_eq!(parsed.database_url.expose_secret(), made.database_url.expose_secret());
        assert_eq!(format!("{parsed:?}"), format!("{made:?}"));
    }

    #[test]
    fn the_password_is_not_shown() {
        assert!(!format!("{:?}", parse(&[]).unwrap()).contains("pass@"));
    }

    #[test]
    fn a_limit_cannot_be_switched_off() {
        for text in ["0s", "-1s", "2", "forever", "25h", ""] {
            assert!(parse(&["--database-lock-timeout", text]).is_err(), "{text}");
        }
        assert_eq!(parse(&["--database-lock-timeout", "1500ms"]).unwrap().database_lock_timeout.as_millis(), 1500);
    }
}
