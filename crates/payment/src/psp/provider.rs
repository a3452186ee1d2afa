//! Which provider it is: a choice at run time.

use clap::ValueEnum;

use super::{
    Checkout, CheckoutOrder, Psp, PspError, RefundOrder, TransferOrder, Transferred,
    event::{PspEvent, PspNews},
    simulator::SimulatorPsp,
    stripe::{self, StripePsp},
};
use crate::config::PspConfig;

/// The providers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// `psp-simulator`, for development and tests.
    Simulator,
    /// Stripe.
    Stripe,
}

impl Provider {
    /// The header, in lower case, with the signature of an event; see [`super::signature`]. Both sign alike.
    pub const fn signature_header(self) -> &'static str {
        match self {
            Self::Simulator => "psp-signature",
            Self::Stripe => "stripe-signature",
        }
    }

    /// What an event of this provider says.
    ///
    /// # Errors
    /// When an event of a known kind does not have what it must.
    pub fn news(self, event: &PspEvent) -> Result<PspNews, &'static str> {
        match self {
            Self::Simulator => event.news(),
            Self::Stripe => stripe::event::news(event),
        }
    }
}

/// The adapter to the provider that was chosen.
#[derive(Clone)]
pub enum AnyPsp {
    /// See [`SimulatorPsp`].
    Simulator(SimulatorPsp),
    /// See [`StripePsp`].
    Stripe(StripePsp),
}

impl AnyPsp {
    /// The adapter that the settings say.
    ///
    /// # Errors
    /// What is wrong with them, without the key.
    pub fn new(config: &PspConfig) -> Result<Self, String> {
        let (key, timeout) = (config.psp_api_key.clone(), config.psp_timeout);
        match config.psp {
            Provider::Simulator => {
                let url = config.psp_url.as_deref().ok_or("STAYMESH_PSP_URL must say where the simulator is")?;
                SimulatorPsp::new(url, key, timeout).map(Self::Simulator)
            }
            Provider::Stripe => {
                let page = config.psp_return_url.as_deref().unwrap_or_default();
                StripePsp::new(config.psp_url.as_deref().unwrap_or(stripe::API), key, timeout, page).map(Self::Stripe)
            }
        }
    }
}

impl Psp for AnyPsp {
    fn check_return_url(&self, url: &str) -> Result<(), &'static str> {
        match self {
            Self::Simulator(psp) => psp.check_return_url(url),
            Self::Stripe(psp) => psp.check_return_url(url),
        }
    }

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
