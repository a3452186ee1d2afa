//! [`Mail`]: one message to one recipient.

use std::fmt;

use lettre::{
    Address, Message,
    message::{Mailbox, header},
};

use crate::error::MailError;

/// A mail to one recipient. `Debug` shows its id only.
#[derive(Clone)]
pub struct Mail {
    /// Identifies the mail among all of its service: 1 to 100 letters, digits and `-`. The same for every attempt to send it.
    pub id: String,
    /// E-mail address of the recipient.
    pub to: String,
    /// The subject: one line.
    pub subject: String,
    /// The text, in lines of any length separated by `\n`.
    pub text: String,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Mail {
    /// The mail as a message of RFC 5322.
    ///
    /// # Errors
    /// [`MailError::Undeliverable`] when the address has no form that a mail server takes; [`MailError::Refused`] when a
    /// header cannot be made.
    pub(crate) fn message(&self, from: &Mailbox) -> Result<Message, MailError> {
        let to: Address = self.to.parse().map_err(|_| MailError::Undeliverable)?;
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, to))
            .subject(self.subject.clone())
            .message_id(Some(format!("<{}@{}>", self.id, from.email.domain())))
            .header(header::ContentType::TEXT_PLAIN)
            .header(AutoSubmitted)
            .body(self.text.replace('\n', "\r\n"))
            .map_err(|_| MailError::Refused("the message cannot be formed".to_owned()))
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834): no automatic answers, such as out-of-office notices.
#[derive(Clone)]
struct AutoSubmitted;

impl header::Header for AutoSubmitted {
    fn name() -> header::HeaderName {
        header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> header::HeaderValue {
        header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
