//! SMTP (RFC 5321) over TLS: one connection for each mail.

use std::time::Duration;

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{Error, response::Code},
};

use crate::error::MailError;

/// Deadline of each step of a conversation with the server.
const STEP: Duration = Duration::from_secs(5);
/// Deadline of the whole conversation, less than a delivery from the outbox may take.
const CONVERSATION: Duration = Duration::from_secs(9);

/// The address of the server has another form than `smtps://..` or `smtp://..`.
pub(crate) struct SmtpError;

#[derive(Clone)]
pub(crate) struct Smtp(AsyncSmtpTransport<Tokio1Executor>);

impl Smtp {
    pub(crate) fn new(url: &str) -> Result<Self, SmtpError> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url).map_err(|_| SmtpError)?;
        Ok(Self(builder.timeout(Some(STEP)).build()))
    }

    pub(crate) async fn send(&self, message: Message) -> Result<(), MailError> {
        match tokio::time::timeout(CONVERSATION, self.0.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(MailError::Unavailable("no answer in time".to_owned())),
        }
    }
}

/// Uses the status code alone, because a server's text may repeat the address.
fn classify(error: &Error) -> MailError {
    match error.status() {
        Some(code) => of_code(code),
        None if error.is_tls() => MailError::Unavailable("TLS".to_owned()),
        None => MailError::Unavailable("the connection".to_owned()),
    }
}

fn of_code(code: Code) -> MailError {
    let text = code.to_string();
    match text.as_str() {
        // The mailbox does not exist, is full, has moved or has a name that is not allowed (RFC 5321, section 4.2.3).
        "550" | "551" | "552" | "553" => MailError::Undeliverable,
        text if text.starts_with('4') => MailError::Unavailable(text.to_owned()),
        text => MailError::Refused(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use lettre::transport::smtp::response::{Category, Detail, Severity};
    use staymesh_store::outbox::Delivery;

    use super::*;

    #[test]
    fn answer_of_the_server_decides_between_retry_dead_letter_and_done() {
        let code = |severity, detail| Code { severity, category: Category::MailSystem, detail };
        let of = |severity, detail| of_code(code(severity, detail)).delivery();
        let later = of(Severity::TransientNegativeCompletion, Detail::Zero);
        assert_eq!(later, Delivery::Unavailable("the mail server is unavailable: 450".to_owned()));
        assert_eq!(of(Severity::PermanentNegativeCompletion, Detail::Zero), Delivery::Done);
        let refused = of(Severity::PermanentNegativeCompletion, Detail::Five);
        assert_eq!(refused, Delivery::DeadLetter("the mail server refuses the mail: 555".to_owned()));
    }
}
