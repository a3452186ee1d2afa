//! What the payment service reads from its environment.

use std::time::Duration;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use staymesh_mesh::config::{ClientConfig, NodeConfig};
use staymesh_store::parse_duration;

use crate::{psp::provider::Provider, status_links::LinkConfig};

/// Shortest secret that is accepted for webhooks, in bytes: an empty one would let everybody in.
const MIN_SECRET: usize = 16;

/// Settings of the payment service.
#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub node: NodeConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub client: ClientConfig,
    /// Where the reservation service listens, for example `http://reservation:50051`.
    #[arg(long, env = "STAYMESH_RESERVATION_URL")]
    pub reservation_url: String,
    /// Where the hotel service listens: it knows which hotels there are, and what hotel and room are called.
    #[arg(long, env = "STAYMESH_HOTEL_URL")]
    pub hotel_url: String,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub links: LinkConfig,
    /// What is earned with a booking, in hundredths of a percent of its price before taxes; 0 to 10000. Holds for
    /// payments that are created from now on.
    #[arg(long, env = "STAYMESH_COMMISSION_BASIS_POINTS", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub commission_basis_points: u16,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub psp: PspConfig,
}

/// How the service knows its payment provider.
#[derive(Args, Clone, Debug)]
pub struct PspConfig {
    /// Which payment provider it is.
    #[arg(long, env = "STAYMESH_PSP", value_enum, default_value = "simulator")]
    pub psp: Provider,
    /// Where the payment provider's API is, for example `http://psp:8090`. Stripe's own unless said otherwise; without a
    /// default for the simulator.
    #[arg(long, env = "STAYMESH_PSP_URL")]
    pub psp_url: Option<String>,
    /// Where the page sends the guest of a payment that names no address, instead of to the status page.
    #[arg(long, env = "STAYMESH_PSP_RETURN_URL")]
    pub psp_return_url: Option<String>,
    /// The key for the provider's API.
    #[arg(long, env = "STAYMESH_PSP_API_KEY", hide_env_values = true)]
    pub psp_api_key: SecretString,
    /// What the provider signs its events with; several, separated by commas, while one replaces another. At least 16
    /// bytes each.
    #[arg(long, env = "STAYMESH_PSP_WEBHOOK_SECRETS", hide_env_values = true, value_delimiter = ',', required = true)]
    pub psp_webhook_secrets: Vec<SecretString>,
    /// The longest time a call to the provider may take.
    #[arg(long, env = "STAYMESH_PSP_TIMEOUT", default_value = "5s", value_parser = parse_duration)]
    pub psp_timeout: Duration,
    /// How long a payment may be open before the provider is asked whether it was paid, in case its event was lost;
    /// doubles with each time it is asked.
    #[arg(long, env = "STAYMESH_PAYMENT_CHECK_AFTER", default_value = "1m", value_parser = parse_duration)]
    pub payment_check_after: Duration,
    /// How long before the hold ends the payment page closes, so that money which comes at the last moment is known
    /// while the rooms are still held. A tenth of the hold at the most.
    #[arg(long, env = "STAYMESH_PAYMENT_PAGE_MARGIN", default_value = "60s", value_parser = parse_duration)]
    pub payment_page_margin: Duration,
}

impl PspConfig {
    /// What clap cannot see.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.psp_webhook_secrets.iter().any(|secret| secret.expose_secret().len() < MIN_SECRET) {
            return Err(format!("each of STAYMESH_PSP_WEBHOOK_SECRETS must have at least {MIN_SECRET} bytes"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::psp::provider::AnyPsp;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        psp: PspConfig,
    }

    fn parse(secrets: &str) -> PspConfig {
        with(&["--psp-webhook-secrets", secrets])
    }

    fn with(more: &[&str]) -> PspConfig {
        let args = ["p", "--psp-api-key", "sk_hidden"].iter().chain(more);
        Program::try_parse_from(args).unwrap_or_else(|error| panic!("{error}")).psp
    }

    #[test]
    fn the_provider_is_a_choice_and_says_what_it_lacks() {
        let make = |more: &[&str]| {
            let secret = ["--psp-webhook-secrets", "0123456789abcdef"];
            AnyPsp::new(&with(&[&secret, more].concat()))
        };
        assert!(matches!(make(&["--psp-url", "http://psp:1"]), Ok(AnyPsp::Simulator(_))));
        let stripe = ["--psp", "stripe"];
        assert!(matches!(make(&stripe), Ok(AnyPsp::Stripe(_))));
        for (bad, named) in [
            (&[][..], "STAYMESH_PSP_URL"),
            (&[&stripe[..], &["--psp-return-url", "nowhere"]].concat(), "nowhere"),
            (&[&stripe[..], &["--psp-url", "http://stripe.example"]].concat(), "https"),
        ] {
            let Err(error) = make(bad) else { panic!("{bad:?}") };
            assert!(error.contains(named) && !error.contains("sk_hidden"), "{error}");
        }
    }

    #[test]
    fn all_settings_fit_together() {
        Config::augment_args(clap::Command::new("payment")).debug_assert();
    }

    #[test]
    fn a_commission_is_from_nothing_to_all() {
        let parsed = |arguments: &[&str]| {
            let command = Config::augment_args(clap::Command::new("payment")).mut_args(|arg| arg.required(false));
            let matches = command.try_get_matches_from(["payment"].iter().chain(arguments)).ok()?;
            matches.get_one::<u16>("commission_basis_points").copied()
        };
        assert_eq!(parsed(&[]), Some(1500));
        for good in [0, 1, 10_000] {
            assert_eq!(parsed(&[&format!("--commission-basis-points={good}")]), Some(good));
        }
        for bad in ["-1", "10001", "65536", "15%", "1.5", ""] {
            assert_eq!(parsed(&[&format!("--commission-basis-points={bad}")]), None, "{bad}");
        }
    }

    #[test]
    fn every_secret_must_be_one_and_none_is_shown() {
        let good = parse("0123456789abcdef,fedcba9876543210");
        assert_eq!(good.psp_webhook_secrets.len(), 2);
        assert!(good.check().is_ok());
        let shown = format!("{good:?}");
        assert!(!shown.contains("0123456789abcdef") && !shown.contains("sk_hidden"));
        for bad in ["", "short", "0123456789abcdef,", ",0123456789abcdef"] {
            assert!(parse(bad).check().is_err(), "{bad}");
        }
    }
}
