//! Settings of the identity service, read from flags and environment variables.

use std::time::Duration;

use clap::Args;
use secrecy::SecretString;
use staymesh_mail::MailConfig;
use staymesh_mesh::config::{ClientConfig, NodeConfig};
use staymesh_store::parse_duration;

use crate::{crypto::EncryptionKey, error::IdentityError};

/// Longest configurable life of an access token. Revocations are remembered longer, and a key stays published for this
/// time after its last signature.
pub(crate) const LONGEST_TOKEN: Duration = Duration::from_hours(1);

/// Parameters of password hashing with argon2id (RFC 9106).
#[derive(Args, Clone, Debug)]
pub struct PasswordConfig {
    /// Memory of one hash in KiB. The defaults are the OWASP recommendation.
    #[arg(long, env = "STAYMESH_IDENTITY_ARGON2_MEMORY_KIB", default_value_t = 19_456)]
    pub argon2_memory_kib: u32,
    /// Passes over the memory.
    #[arg(long, env = "STAYMESH_IDENTITY_ARGON2_ITERATIONS", default_value_t = 2)]
    pub argon2_iterations: u32,
    /// Hashes computed concurrently; bounds the processor and memory that logins can use.
    #[arg(long, env = "STAYMESH_IDENTITY_ARGON2_PARALLEL", default_value_t = 2,
        value_parser = clap::value_parser!(u16).range(1..))]
    pub argon2_parallel: u16,
    /// Hashes that may wait in the queue; more are refused with OVERLOADED.
    #[arg(long, env = "STAYMESH_IDENTITY_ARGON2_QUEUE", default_value_t = 64)]
    pub argon2_queue: u16,
}

impl Default for PasswordConfig {
    fn default() -> Self {
        Self { argon2_memory_kib: 19_456, argon2_iterations: 2, argon2_parallel: 2, argon2_queue: 64 }
    }
}

/// Storage and rotation of signing keys.
#[derive(Args, Clone, Debug)]
pub struct KeyConfig {
    /// Key that encrypts private keys in the database: 32 random bytes in base64, the same for all replicas.
    #[arg(long, env = "STAYMESH_IDENTITY_KEY_ENCRYPTION_KEY", hide_env_values = true)]
    pub key_encryption_key: SecretString,
    /// Time between publication and first signature of a new key; longer than any verifier caches the key set.
    #[arg(long, env = "STAYMESH_IDENTITY_KEY_PUBLISH_LEAD", default_value = "10m", value_parser = parse_duration)]
    pub key_publish_lead: Duration,
}

impl KeyConfig {
    pub(crate) fn encryption_key(&self) -> Result<EncryptionKey, IdentityError> {
        EncryptionKey::from_base64(&self.key_encryption_key)
    }
}

/// Settings of the identity service.
#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub node: NodeConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub keys: KeyConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub passwords: PasswordConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub client: ClientConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub mail: MailConfig,
    /// Base URL of the reservation service, which learns of deleted accounts.
    #[arg(long, env = "STAYMESH_RESERVATION_URL")]
    pub reservation_url: String,
    /// Base URL of the hotel service, which is asked whether the hotels of staff exist.
    #[arg(long, env = "STAYMESH_HOTEL_URL")]
    pub hotel_url: String,
    /// Life of a person's access token, whole seconds from 1s to 1h.
    #[arg(long, env = "STAYMESH_IDENTITY_ACCESS_TOKEN_LIFE", default_value = "10m", value_parser = token_life)]
    pub access_token_life: Duration,
    /// Life of a client's access token, whole seconds from 1s to 1h.
    #[arg(long, env = "STAYMESH_IDENTITY_CLIENT_TOKEN_LIFE", default_value = "1h", value_parser = token_life)]
    pub client_token_life: Duration,
    /// Hours for which the former secret of a client stays valid after a rotation that does not say, 1 to 720 (30 days).
    #[arg(long, env = "STAYMESH_IDENTITY_SECRET_OVERLAP_HOURS", default_value_t = 24,
        value_parser = clap::value_parser!(u16).range(1..=720))]
    pub secret_overlap_hours: u16,
    /// Life of a refresh token in days, 1 to 365.
    #[arg(long, env = "STAYMESH_IDENTITY_REFRESH_TOKEN_DAYS", default_value_t = 30,
        value_parser = clap::value_parser!(u16).range(1..=365))]
    pub refresh_token_days: u16,
    /// Seconds within which a repeated refresh gets the same new tokens, 0 to 60: for tabs that refresh at once.
    #[arg(long, env = "STAYMESH_IDENTITY_REFRESH_GRACE_SECONDS", default_value_t = 10,
        value_parser = clap::value_parser!(u8).range(0..=60))]
    pub refresh_grace_seconds: u8,
    /// Failed logins of one source over all addresses within 15 minutes before further ones are refused; and as many
    /// invalid keys of booking links. Addresses that
    /// have logged in from that source within 30 days are exempt.
    #[arg(long, env = "STAYMESH_IDENTITY_SOURCE_FAILURES", default_value_t = 100,
        value_parser = clap::value_parser!(u16).range(1..))]
    pub source_failures: u16,
    /// Guest checkouts of one source within 15 minutes before further ones are refused.
    #[arg(long, env = "STAYMESH_IDENTITY_GUEST_SESSIONS", default_value_t = 100,
        value_parser = clap::value_parser!(u16).range(1..))]
    pub guest_sessions: u16,
    /// Failed logins per address and source within 15 minutes before further ones are refused; ten times as many from all
    /// sources together.
    #[arg(long, env = "STAYMESH_IDENTITY_LOGIN_FAILURES", default_value_t = 10,
        value_parser = clap::value_parser!(u8).range(1..))]
    pub login_failures: u8,
}

impl Config {
    pub(crate) fn lives(&self) -> Lives {
        Lives {
            access: self.access_token_life,
            client: self.client_token_life,
            refresh: Duration::from_hours(24 * u64::from(self.refresh_token_days)),
            grace: Duration::from_secs(self.refresh_grace_seconds.into()),
            secret_overlap: Duration::from_hours(self.secret_overlap_hours.into()),
        }
    }
}

/// Lives of tokens and secrets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lives {
    pub(crate) access: Duration,
    pub(crate) client: Duration,
    pub(crate) refresh: Duration,
    /// For how long a repeat of a used refresh token gets the same successor.
    pub(crate) grace: Duration,
    /// For how long the former secret of a client stays valid by default.
    pub(crate) secret_overlap: Duration,
}

/// Parses a token life: whole seconds, the resolution of `exp`.
fn token_life(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .ok()
        .filter(|life| (Duration::from_secs(1)..=LONGEST_TOKEN).contains(life) && life.subsec_nanos() == 0)
        .ok_or_else(|| "must be whole seconds from 1s to 1h, such as 10m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use staymesh_mesh::auth::REMEMBERED;

    use super::*;

    #[derive(clap::Parser)]
    struct Program {
        #[command(flatten)]
        config: Config,
    }

    fn parse(args: &[&str]) -> Result<Config, clap::Error> {
        let needed = [
            "identity",
            "--database-url=postgres://u:pass@localhost/db",
            "--key-encryption-key=QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=",
            "--identity-url=http://localhost:1",
            "--service-client-id=staymesh-identity",
            "--service-client-secret=secret",
            "--reservation-url=http://localhost:2",
            "--hotel-url=http://localhost:3",
            "--smtp-url=file:///var/mails",
            "--mail-from=booking@staymesh.example",
            "--public-url=https://booking.example",
        ];
        Program::try_parse_from(needed.iter().chain(args)).map(|program| program.config)
    }

    #[test]
    fn defaults_are_as_documented() {
        let config = parse(&[]).unwrap();
        let lives = config.lives();
        assert_eq!(lives.access.as_secs(), 600);
        assert_eq!(lives.client.as_secs(), 3600);
        assert_eq!(lives.refresh.as_secs(), 30 * 86_400);
        assert_eq!((lives.grace.as_secs(), config.source_failures, config.guest_sessions), (10, 100, 100));
        assert_eq!(lives.secret_overlap.as_secs(), 86_400);
        assert!(parse(&["--secret-overlap-hours", "720"]).is_ok());
        assert!(parse(&["--secret-overlap-hours", "0"]).is_err() && parse(&["--secret-overlap-hours", "721"]).is_err());
        assert!(parse(&["--refresh-grace-seconds", "61"]).is_err());
        assert_eq!(format!("{:?}", config.passwords), format!("{:?}", PasswordConfig::default()));
    }

    #[test]
    fn token_life_is_shorter_than_the_life_of_a_revocation() {
        assert!(REMEMBERED > LONGEST_TOKEN);
        for life in ["61m", "0s", "1500ms", "forever"] {
            assert!(parse(&["--access-token-life", life]).is_err(), "{life}");
            assert!(parse(&["--client-token-life", life]).is_err(), "{life}");
        }
    }

    #[test]
    fn debug_hides_the_encryption_key() {
        assert!(!format!("{:?}", parse(&[]).unwrap()).contains("QUJDREVG"));
    }
}
