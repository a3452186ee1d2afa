//! An attack that holds requests open: one address keeps thousands of requests in progress and finishes none, while other
//! addresses call. Their latency with the attack is compared with that without, measured in turns.
//!
//! | to change | look in |
//! |---|---|
//! | the requests that are held open | `form` |
//! | how they are held | `hold` |
//! | what the other addresses call, and which answers count as refused | `others` |

mod form;
mod hold;
mod others;

use std::collections::BTreeMap;

use anyhow::Result;

use self::{hold::Held, others::Others};
use crate::{Tally, open};

pub use form::{FORMS, Form};

/// One of the edge's listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// For guests and partners.
    Public,
    /// For staff and administrators.
    Internal,
}

/// The addresses of the gateways, `http://host:port`.
#[derive(Clone, Debug)]
pub struct Gateways {
    /// The public gateway.
    pub public: String,
    /// The internal gateway.
    pub internal: String,
}

impl Gateways {
    fn url(&self, gateway: Gateway) -> &str {
        match gateway {
            Gateway::Public => &self.public,
            Gateway::Internal => &self.internal,
        }
    }
}

/// The size of an attack.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Requests in progress of the attacker.
    pub held: usize,
    /// Requests per second of the others.
    pub rate: f64,
    /// Requests of the others in one measurement.
    pub calls: usize,
}

/// One attacker and the others, at the gateways of one mesh.
pub struct Attack {
    gateways: Gateways,
    others: Others,
    size: Size,
}

/// What one form did to the others.
#[derive(Debug)]
pub struct Turn {
    /// The others without the attack, directly before it.
    pub quiet: Tally,
    /// The others while the requests are held.
    pub attacked: Tally,
    /// How many requests of the attacker ended by themselves, by status or error.
    pub ended: BTreeMap<String, u64>,
}

impl Attack {
    /// Prepares an attack of this size.
    ///
    /// # Errors
    /// When a client cannot be made.
    pub fn new(gateways: Gateways, size: Size) -> Result<Self> {
        Ok(Self { others: Others::new(gateways.clone())?, gateways, size })
    }

    /// Calls from all the other addresses without measuring, so that connections are open.
    ///
    /// # Errors
    /// When the load cannot be generated.
    pub async fn warm_up(&self) -> Result<()> {
        open(self.size.rate, self.size.calls, self.others.caller()).await.map(drop)
    }

    /// Measures the others without and with requests of this form held open.
    ///
    /// # Errors
    /// When the load cannot be generated.
    pub async fn turn(&self, form: Form) -> Result<Turn> {
        let Size { held: places, rate, calls } = self.size;
        let quiet = open(rate, calls, self.others.caller()).await?;
        let held = Held::start(form, &self.gateways, places).await?;
        let attacked = open(rate, calls, self.others.caller()).await?;
        Ok(Turn { quiet, attacked, ended: held.end().await })
    }
}
