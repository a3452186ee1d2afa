//! [`Mailer`]: sends mails to the target of the settings.

use lettre::message::Mailbox;
use staymesh_store::outbox::Delivery;

use crate::{
    Mail, MailConfig, MailConfigError,
    config::Target,
    folder::Folder,
    smtp::{Smtp, SmtpError},
};

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

/// Sends mails. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    transport: Transport,
}

#[derive(Clone)]
enum Transport {
    Smtp(Smtp),
    Folder(Folder),
}

impl Mailer {
    /// A mailer with these settings. Connects to nothing.
    ///
    /// # Errors
    /// When a setting is wrong.
    pub fn new(config: &MailConfig) -> Result<Self, MailConfigError> {
        let transport = match config.target()? {
            Target::Smtp(url) => Transport::Smtp(Smtp::new(&url).map_err(|SmtpError| MailConfigError::SmtpUrl)?),
            Target::Folder(path) => Transport::Folder(Folder(path)),
        };
        Ok(Self { from: config.sender()?, transport })
    }

    /// Sends a mail; takes at most about ten seconds.
    ///
    /// # Errors
    /// [`MailError`]; [`MailError::delivery`] says what the outbox does then.
    pub async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let message = mail.message(&self.from)?;
        match &self.transport {
            Transport::Smtp(smtp) => smtp.send(message).await,
            Transport::Folder(folder) => folder.write(&mail.id, &message.formatted()).await,
        }
    }
}
