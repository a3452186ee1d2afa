//! [`Mailer`]: sends mails to the target of the settings.

use lettre::message::Mailbox;

use crate::{
    Mail, MailConfig, MailConfigError,
    config::Target,
    error::MailError,
    folder::Folder,
    smtp::{Smtp, SmtpError},
};

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
