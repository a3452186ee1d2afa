//! Mails to guests: plain text over SMTP with TLS, or as `.eml` files in a folder while developing.
//!
//! A service decides about a mail in the transaction of the change that it reports, and sends it from its outbox with
//! [`Mailer::send`]. The outbox delivers at least once, so a mail may be sent again after a crash: it then has the same
//! `Message-ID`, by which mailboxes recognise the copy. In a folder, the copy replaces the file.
//!
//! Errors name neither addresses nor texts, because the outbox stores and logs them.

mod config;
mod error;
mod folder;
mod greeting;
mod mail;
mod mailer;
mod smtp;

pub use config::{MailConfig, MailConfigError, Site};
pub use error::MailError;
pub use greeting::greeting;
pub use mail::Mail;
pub use mailer::Mailer;
