//! Settings of mails.

use std::path::PathBuf;

use clap::Args;
use lettre::message::Mailbox;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// Settings of the mails of a service.
#[derive(Args, Clone, Debug)]
pub struct MailConfig {
    /// Where mails go: `smtps://USER:PASSWORD@HOST:465` (TLS from the first byte) or
    /// `smtp://USER:PASSWORD@HOST:587?tls=required` (STARTTLS). `file:///FOLDER` writes `.eml` files instead and sends
    /// nothing: for development.
    #[arg(long, env = "STAYMESH_SMTP_URL", hide_env_values = true)]
    pub smtp_url: SecretString,
    /// Sender of mails, for example `Staymesh <booking@staymesh.example>`.
    #[arg(long, env = "STAYMESH_MAIL_FROM")]
    pub mail_from: String,
    /// Base URL of the website that mails link to, for example `https://booking.example`.
    #[arg(long, env = "STAYMESH_PUBLIC_URL")]
    pub public_url: String,
}

/// A wrong setting of mails. Names the setting and never its value.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailConfigError {
    /// Not one of the forms of a mail server's address, or one without TLS.
    #[error("STAYMESH_SMTP_URL must be smtps://.., smtp://..?tls=required or file:///..")]
    SmtpUrl,
    /// Not an e-mail address.
    #[error("STAYMESH_MAIL_FROM must be an e-mail address, such as Staymesh <booking@staymesh.example>")]
    From,
    /// Not the address of a website.
    #[error("STAYMESH_PUBLIC_URL must be an address like https://booking.example")]
    PublicUrl,
}

/// Where mails go.
pub(crate) enum Target {
    /// A mail server, reached over TLS.
    Smtp(String),
    /// A folder.
    Folder(PathBuf),
}

impl MailConfig {
    pub(crate) fn target(&self) -> Result<Target, MailConfigError> {
        let text = self.smtp_url.expose_secret();
        let url = Url::parse(text).map_err(|_| MailConfigError::SmtpUrl)?;
        let starttls = url.query_pairs().any(|(name, value)| name == "tls" && value == "required");
        match url.scheme() {
            "file" => url.to_file_path().map(Target::Folder).map_err(|()| MailConfigError::SmtpUrl),
            "smtps" => Ok(Target::Smtp(text.to_owned())),
            "smtp" if starttls => Ok(Target::Smtp(text.to_owned())),
            _ => Err(MailConfigError::SmtpUrl),
        }
    }

    pub(crate) fn sender(&self) -> Result<Mailbox, MailConfigError> {
        self.mail_from.parse().map_err(|_| MailConfigError::From)
    }

    /// The website that mails link to.
    ///
    /// # Errors
    /// [`MailConfigError::PublicUrl`].
    pub fn site(&self) -> Result<Site, MailConfigError> {
        let url = Url::parse(&self.public_url).map_err(|_| MailConfigError::PublicUrl)?;
        let plain = matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
        if !plain {
            return Err(MailConfigError::PublicUrl);
        }
        Ok(Site { base: self.public_url.trim_end_matches('/').to_owned() })
    }
}

/// The website that mails link to.
#[derive(Clone, Debug)]
pub struct Site {
    base: String,
}

impl Site {
    /// The address of `path` with `fragment` after `#`. A fragment is not sent to servers, so that secrets in it appear in
    /// no access log and no `Referer`.
    pub fn link(&self, path: &str, fragment: &str) -> String {
        format!("{}{path}#{fragment}", self.base)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn config(smtp_url: &str) -> MailConfig {
        MailConfig {
            smtp_url: smtp_url.into(),
            mail_from: "Staymesh <booking@staymesh.example>".into(),
            public_url: "https://booking.example/".into(),
        }
    }

    #[rstest]
    #[case("smtps://user:secret@mail.example:465", true)]
    #[case("smtp://user:secret@mail.example:587?tls=required", true)]
    #[case("file:///var/mails", true)]
    #[case("smtp://user:secret@mail.example", false)]
    #[case("smtp://user:secret@mail.example?tls=opportunistic", false)]
    #[case("https://mail.example", false)]
    #[case("mail.example:465", false)]
    #[case("", false)]
    fn target_without_tls_is_refused(#[case] url: &str, #[case] valid: bool) {
        assert_eq!(config(url).target().is_ok(), valid);
        assert!(!format!("{:?}", config(url)).contains("secret"));
    }

    #[test]
    fn link_keeps_secrets_in_the_fragment() {
        let site = config("file:///var/mails").site().unwrap();
        assert_eq!(site.link("/account/confirm", "token=x"), "https://booking.example/account/confirm#token=x");
        for url in ["", "booking.example", "ftp://booking.example", "https://booking.example?a=b"] {
            let config = MailConfig { public_url: url.into(), ..config("file:///var/mails") };
            assert_eq!(config.site().unwrap_err(), MailConfigError::PublicUrl, "{url}");
        }
    }
}
