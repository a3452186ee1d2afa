//! Everything that can be made to go wrong.

mod chaos;
mod silence;
mod switches;

pub(crate) use chaos::Chaos;
pub use chaos::FaultConfig;
pub(crate) use silence::{Silence, withheld};
pub(crate) use switches::{AnswerFault, Decision, ReviewPlan, Switches, WebhookFault};
