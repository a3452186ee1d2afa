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
        let beyond_ascii = message.envelope().to().iter().any(|to| !AsRef::<str>::as_ref(to).is_ascii());
        match tokio::time::timeout(CONVERSATION, self.0.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            // Refused before it was sent: the server does not take such addresses (SMTPUTF8, RFC 6531). No retry helps.
            Ok(Err(error)) if beyond_ascii && error.is_client() => Err(MailError::Undeliverable),
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

    use tokio::{
        io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
        net::TcpListener,
    };

    use super::*;
    use crate::mail::Mail;

    /// A server with these extensions that greets, and then takes every command.
    async fn server(extensions: &'static str) -> Smtp {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let (reader, mut writer) = stream.into_split();
            writer.write_all(b"220 ready\r\n").await.unwrap();
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let answer = match line.split(' ').next() {
                    Some("EHLO") => format!("250-mail.example\r\n250-8BITMIME\r\n{extensions}250 HELP\r\n"),
                    Some("DATA") => "354 go on\r\n".to_owned(),
                    Some("MAIL" | "RCPT" | "QUIT" | ".") => "250 ok\r\n".to_owned(),
                    _ => continue,
                };
                if writer.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        Smtp::new(&url).ok().unwrap()
    }

    async fn send(extensions: &'static str, to: &str) -> Result<(), MailError> {
        let (id, subject, text) = ("mail-1".to_owned(), "A subject".to_owned(), "A text".to_owned());
        let mail = Mail { id, to: to.to_owned(), subject, text };
        let message = mail.message(&"booking@staymesh.example".parse().unwrap()).unwrap();
        server(extensions).await.send(message).await
    }

    #[tokio::test]
    async fn address_beyond_ascii_is_undeliverable_where_the_server_does_not_take_it() {
        assert_eq!(send("", "dörte@example.com").await, Err(MailError::Undeliverable));
        assert_eq!(send("250-SMTPUTF8\r\n", "dörte@example.com").await, Ok(()));
        assert_eq!(send("", "ada@xn--bcher-kva.example").await, Ok(()));
    }

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
