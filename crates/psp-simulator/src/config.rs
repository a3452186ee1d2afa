//! Settings of the simulator, from flags and environment.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use secrecy::SecretString;
use url::Url;

use crate::FaultConfig;

/// Settings of the simulated provider.
#[derive(Debug, Clone, clap::Args)]
pub struct Config {
    /// Address to listen on.
    #[arg(long, env = "STAYMESH_PSP_SIMULATOR_LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,
    /// Base URL for a guest's browser, used in links; `http://` and the listening address when not set.
    #[arg(long, env = "STAYMESH_PSP_SIMULATOR_PUBLIC_URL", value_parser = http_url)]
    pub public_url: Option<Url>,
    /// The key that merchants must send as `authorization: Bearer KEY`.
    #[arg(long, env = "STAYMESH_PSP_API_KEY", hide_env_values = true)]
    pub api_key: SecretString,
    /// Default webhook URL; a session may have its own. Without either no event is sent.
    #[arg(long, env = "STAYMESH_PSP_WEBHOOK_URL", value_parser = http_url)]
    pub webhook_url: Option<Url>,
    /// The secret that signs events.
    #[arg(long, env = "STAYMESH_PSP_WEBHOOK_SECRET", hide_env_values = true)]
    pub webhook_secret: SecretString,
    /// Most delivery attempts per event.
    #[arg(long, env = "STAYMESH_PSP_WEBHOOK_ATTEMPTS", default_value_t = 10)]
    pub webhook_attempts: usize,
    /// Backoff after the first failed attempt; doubles with each further one, up to a minute.
    #[arg(long, env = "STAYMESH_PSP_WEBHOOK_BACKOFF", default_value = "500ms", value_parser = duration)]
    pub webhook_backoff: Duration,
    /// Sessions that are kept at most, ended ones included, and as many transfers; more are refused.
    #[arg(long, env = "STAYMESH_PSP_SIMULATOR_MAX_SESSIONS", default_value_t = 100_000)]
    pub max_sessions: usize,
    /// Seconds after which a payment in review is approved; without it a review waits for a decision. Plans of cards and
    /// switches take precedence.
    #[arg(long, env = "STAYMESH_PSP_REVIEW_SECONDS")]
    pub review_seconds: Option<u32>,
    /// Random faults.
    #[command(flatten)]
    pub faults: FaultConfig,
    /// State file of JSON lines that survives a restart; without it state is in memory alone.
    #[arg(long, env = "STAYMESH_PSP_SIMULATOR_STATE")]
    pub state: Option<PathBuf>,
}

/// Reads an absolute http or https URL with a host.
pub(crate) fn http_url(text: &str) -> Result<Url, String> {
    const WRONG: &str = "must be an http or https URL of at most 2000 characters";
    let url = Url::parse(text).map_err(|_| WRONG.to_owned())?;
    let fits = text.len() <= 2000 && matches!(url.scheme(), "http" | "https") && url.host().is_some();
    if fits { Ok(url) } else { Err(WRONG.to_owned()) }
}

fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = text.parse().map_err(|_| "write it as 2s, 500ms or 1m".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "must not be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    #[test]
    fn config_parses_flags_and_hides_secrets_in_debug() {
        let command = Config::augment_args(clap::Command::new("psp-simulator"));
        command.clone().debug_assert();
        let args = ["p", "--api-key", "sk_hidden", "--webhook-secret", "whsec_hidden", "--webhook-backoff", "1s"];
        let too_many = [&args[..], &["--fault-percent", "101"]].concat();
        assert!(command.clone().try_get_matches_from(too_many).is_err());
        let config = Config::from_arg_matches(&command.get_matches_from(args)).unwrap();
        assert_eq!(config.webhook_backoff, Duration::from_secs(1));
        assert!(!format!("{config:?}").contains("hidden"));
        assert_eq!((config.faults.fault_percent, config.review_seconds), (0, None), "nothing goes wrong by itself");
    }

    #[test]
    fn http_url_accepts_only_absolute_http_urls() {
        let long = format!("https://a/{}", "x".repeat(2000));
        for text in ["", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//a", "http://", &long] {
            assert!(http_url(text).is_err(), "{text}");
        }
        assert!(http_url("https://hotel.example/thanks?x=1").is_ok());
    }
}
