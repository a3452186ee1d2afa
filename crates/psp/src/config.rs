//! The settings of the provider, read from the environment.

use std::time::Duration;

use clap::{Args, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use staymesh_domain::parse_duration;

/// Minimum length of a webhook secret, in bytes. With an empty secret any sender could sign events.
const MIN_SECRET: usize = 16;

/// The supported providers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// `psp-simulator`, for development and tests.
    Simulator,
    /// Stripe.
    Stripe,
}

/// How to reach the payment provider.
#[derive(Args, Clone, Debug)]
pub struct PspConfig {
    /// Which payment provider it is. Without a default: a release that forgot it would take bookings as paid for which no
    /// money moves.
    #[arg(long, env = "STAYMESH_PSP", value_enum)]
    pub psp: Provider,
    /// Base URL of the payment provider's API, for example `http://psp:8090`. Optional for Stripe, required for the
    /// simulator.
    #[arg(long, env = "STAYMESH_PSP_URL")]
    pub psp_url: Option<String>,
    /// Where the page sends the guest of a payment that names no address, instead of to the status page.
    #[arg(long, env = "STAYMESH_PSP_RETURN_URL")]
    pub psp_return_url: Option<String>,
    /// The key for the provider's API.
    #[arg(long, env = "STAYMESH_PSP_API_KEY", hide_env_values = true)]
    pub psp_api_key: SecretString,
    /// The secrets that the provider signs its events with, separated by commas while one replaces another. At least 16
    /// bytes each.
    #[arg(long, env = "STAYMESH_PSP_WEBHOOK_SECRETS", hide_env_values = true, value_delimiter = ',', required = true)]
    pub psp_webhook_secrets: Vec<SecretString>,
    /// Deadline of a call to the provider.
    #[arg(long, env = "STAYMESH_PSP_TIMEOUT", default_value = "5s", value_parser = parse_duration)]
    pub psp_timeout: Duration,
}

impl PspConfig {
    /// Validates what the argument parser cannot.
    ///
    /// # Errors
    /// When a webhook secret is shorter than 16 bytes. The message does not contain the secret.
    pub fn validate(&self) -> Result<(), String> {
        if self.psp_webhook_secrets.iter().any(|secret| secret.expose_secret().len() < MIN_SECRET) {
            return Err(format!("each of STAYMESH_PSP_WEBHOOK_SECRETS must have at least {MIN_SECRET} bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{config, parse};

    #[test]
    fn provider_has_the_same_name_in_settings_and_in_its_webhook() {
        for provider in Provider::value_variants() {
            let name = provider.to_possible_value().map(|value| value.get_name().to_owned());
            assert_eq!(name.as_deref(), Some(provider.name()));
        }
    }

    #[test]
    fn provider_has_no_default() {
        let secret = ["--psp-webhook-secrets", "0123456789abcdef"];
        let error = parse(&secret).unwrap_err().to_string();
        assert!(error.contains("--psp <PSP>") && error.contains("required"), "{error}");
    }

    #[test]
    fn webhook_secrets_of_16_bytes_are_accepted_and_never_printed() {
        let parse = |secrets: &str| config(&["--psp-webhook-secrets", secrets]);
        let good = parse("0123456789abcdef,fedcba9876543210");
        assert_eq!(good.psp_webhook_secrets.len(), 2);
        assert!(good.validate().is_ok());
        let shown = format!("{good:?}");
        assert!(!shown.contains("0123456789abcdef") && !shown.contains("sk_hidden"));
        for bad in ["", "short", "0123456789abcdef,", ",0123456789abcdef"] {
            assert!(parse(bad).validate().is_err(), "{bad}");
        }
    }
}
