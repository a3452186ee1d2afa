//! [`MailError`], and what the outbox does with it.

use staymesh_store::outbox::Delivery;

/// Why a mail was not sent. Names neither addresses nor texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The server cannot be reached, or asks for a later attempt.
    #[error("the mail server is unavailable: {0}")]
    Unavailable(String),
    /// The recipient's address does not exist; another attempt cannot help, and neither can an operator.
    #[error("the recipient cannot be reached")]
    Undeliverable,
    /// The server refuses this service or this mail: wrong credentials, a sender that is not allowed.
    #[error("the mail server refuses the mail: {0}")]
    Refused(String),
}

impl MailError {
    /// What the outbox does with the event of a mail that was not sent. A mail without a reachable recipient is done: only
    /// the recipient could correct the address.
    pub fn delivery(self) -> Delivery {
        match self {
            Self::Unavailable(_) => Delivery::Unavailable(self.to_string()),
            Self::Refused(_) => Delivery::DeadLetter(self.to_string()),
            Self::Undeliverable => Delivery::Done,
        }
    }
}
