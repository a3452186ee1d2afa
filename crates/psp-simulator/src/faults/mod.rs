//! Fault injection: by request switches and at random.

mod chaos;
mod switches;
mod withheld;

pub(crate) use chaos::Chaos;
pub use chaos::FaultConfig;
pub(crate) use switches::{AnswerFault, Decision, ReviewPlan, Switches, WebhookFault};
pub(crate) use withheld::{WithheldAnswers, withheld};
