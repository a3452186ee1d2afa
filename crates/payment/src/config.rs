//! Settings of the payment service.

use std::time::Duration;

use clap::Args;
use staymesh_mesh::config::{ClientConfig, NodeConfig};
use staymesh_psp::PspConfig;
use staymesh_store::parse_duration;

use crate::{model::DefaultCredit, status_links::LinkConfig};

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
    /// What a partner who collects may owe unless an administrator has set its limit: `EUR=50000.00,USD=50000.00`, in major
    /// units of each currency. Zero, which is also the default of a currency that is not listed: a partner sells nothing
    /// in it until a limit is set, or it has paid in advance.
    #[arg(long, env = "STAYMESH_PARTNER_CREDIT_DEFAULT", default_value = "")]
    pub partner_credit_default: DefaultCredit,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub psp: PspConfig,
    /// How long a payment may be open before the provider is asked whether it was paid, in case its event was lost;
    /// doubles with each time it is asked.
    #[arg(long, env = "STAYMESH_PAYMENT_CHECK_AFTER", default_value = "1m", value_parser = parse_duration)]
    pub payment_check_after: Duration,
    /// How long before the hold ends the payment page closes, so that money which comes at the last moment is known
    /// while the rooms are still held. A tenth of the hold at the most.
    #[arg(long, env = "STAYMESH_PAYMENT_PAGE_MARGIN", default_value = "60s", value_parser = parse_duration)]
    pub payment_page_margin: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
