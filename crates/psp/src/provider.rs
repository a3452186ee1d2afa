//! The selected provider: dispatches every call to the adapter of the settings.

use std::time::Duration;

use jiff::civil::Date;

use crate::{
    CallerBudget, Checkout, CheckoutOrder, Provider, Psp, PspConfig, PspError, RefundOrder, TransferOrder, Transferred,
    event::{EventEnvelope, ProviderEvent},
    settlement::{SettlementError, SettlementLines, Settlements},
    simulator::{self, SimulatorPsp},
    stripe::{self, StripePsp},
};

/// The longest time between two batches of lines of a settlement file, of either provider, when a call may take
/// `timeout`.
pub const fn longest_settlement_pause(timeout: Duration) -> Duration {
    // The exponential backoff between attempts sums to less than twice its last pause, jitter included.
    Duration::from_mins(1).saturating_add(timeout.saturating_mul(stripe::PAGE_TIMEOUT_FACTOR * stripe::PAGE_ATTEMPTS))
}

impl Provider {
    /// The name in settings and in the address of the provider's webhook.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simulator => "simulator",
            Self::Stripe => "stripe",
        }
    }

    /// The name, in lower case, of the header with the signature of an event; see [`crate::signature`]. Both providers
    /// sign alike.
    pub const fn signature_header(self) -> &'static str {
        match self {
            Self::Simulator => "psp-signature",
            Self::Stripe => "stripe-signature",
        }
    }

    /// Parses an event of this provider.
    ///
    /// # Errors
    /// What is wrong, when an event of a known type lacks data that the type requires.
    pub fn parse_event(self, envelope: &EventEnvelope) -> Result<ProviderEvent, &'static str> {
        match self {
            Self::Simulator => simulator::event::parse(envelope),
            Self::Stripe => stripe::event::parse(envelope),
        }
    }
}

/// The adapter of the selected provider.
#[derive(Clone)]
pub enum AnyPsp {
    /// See [`SimulatorPsp`].
    Simulator(SimulatorPsp),
    /// See [`StripePsp`].
    Stripe(StripePsp),
}

impl AnyPsp {
    /// The adapter that the settings select.
    ///
    /// # Errors
    /// Which setting is missing or wrong. The message does not contain the API key.
    pub fn new(config: &PspConfig) -> Result<Self, String> {
        let (key, timeout) = (config.psp_api_key.clone(), config.psp_timeout);
        match config.psp {
            Provider::Simulator => {
                let url = config.psp_url.as_deref().ok_or("STAYMESH_PSP_URL is required for the simulator")?;
                SimulatorPsp::new(url, key, timeout).map(Self::Simulator)
            }
            Provider::Stripe => {
                let page = config.psp_return_url.as_deref().unwrap_or_default();
                StripePsp::new(config.psp_url.as_deref().unwrap_or(stripe::API), key, timeout, page).map(Self::Stripe)
            }
        }
    }

    /// The same adapter, whose calls also end when the caller's own time is up.
    #[must_use]
    pub fn with_caller_budget(self, budget: CallerBudget) -> Self {
        match self {
            Self::Simulator(psp) => Self::Simulator(psp.with_caller_budget(budget)),
            Self::Stripe(psp) => Self::Stripe(psp.with_caller_budget(budget)),
        }
    }
}

impl Psp for AnyPsp {
    async fn create_checkout(&self, order: CheckoutOrder) -> Result<Checkout, PspError> {
        match self {
            Self::Simulator(psp) => psp.create_checkout(order).await,
            Self::Stripe(psp) => psp.create_checkout(order).await,
        }
    }

    async fn expire_checkout(&self, session: String) -> Result<Checkout, PspError> {
        match self {
            Self::Simulator(psp) => psp.expire_checkout(session).await,
            Self::Stripe(psp) => psp.expire_checkout(session).await,
        }
    }

    async fn fetch_checkout(&self, session: String) -> Result<Checkout, PspError> {
        match self {
            Self::Simulator(psp) => psp.fetch_checkout(session).await,
            Self::Stripe(psp) => psp.fetch_checkout(session).await,
        }
    }

    async fn refund(&self, order: RefundOrder) -> Result<String, PspError> {
        match self {
            Self::Simulator(psp) => psp.refund(order).await,
            Self::Stripe(psp) => psp.refund(order).await,
        }
    }

    async fn transfer(&self, order: TransferOrder) -> Result<Transferred, PspError> {
        match self {
            Self::Simulator(psp) => psp.transfer(order).await,
            Self::Stripe(psp) => psp.transfer(order).await,
        }
    }
}

impl Settlements for AnyPsp {
    async fn settlement(&self, day: Date, partial: bool) -> Result<SettlementLines, SettlementError> {
        match self {
            Self::Simulator(psp) => psp.settlement(day, partial).await,
            Self::Stripe(psp) => psp.settlement(day, partial).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    #[test]
    fn provider_is_selected_by_settings_and_missing_settings_are_named() {
        let make = |more: &[&str]| {
            let secret = ["--psp-webhook-secrets", "0123456789abcdef"];
            AnyPsp::new(&config(&[&secret, more].concat()))
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
}
