//! A folder that takes mails while developing, one `.eml` file each.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::error::MailError;

#[derive(Clone)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// Writes `ID.eml`. Readers see the whole file or none; an earlier attempt's file is replaced.
    pub(crate) async fn write(&self, id: &str, message: &[u8]) -> Result<(), MailError> {
        write(&self.0, id, message).await.map_err(|error| MailError::Unavailable(error.kind().to_string()))
    }
}

async fn write(folder: &Path, id: &str, message: &[u8]) -> io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let unfinished = folder.join(format!(".{id}"));
    tokio::fs::write(&unfinished, message).await?;
    tokio::fs::rename(&unfinished, folder.join(format!("{id}.eml"))).await
}

#[cfg(test)]
mod tests {
    use crate::{Mail, MailConfig, Mailer};

    fn mail(to: &str) -> Mail {
        Mail {
            id: "confirm-email-1".into(),
            to: to.into(),
            subject: "Bitte bestätigen Sie Ihre Adresse".into(),
            text: "Guten Tag\nÖffnen Sie den Link".into(),
        }
    }

    #[tokio::test]
    async fn second_attempt_replaces_the_file_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let mailer = Mailer::new(&MailConfig {
            smtp_url: format!("file://{}/mails", dir.path().display()).into(),
            mail_from: "Staymesh <booking@staymesh.example>".into(),
            public_url: "https://booking.example".into(),
        })
        .unwrap();
        for _ in 0..2 {
            mailer.send(&mail("ada@example.com")).await.unwrap();
        }
        let files: Vec<_> = std::fs::read_dir(dir.path().join("mails")).unwrap().map(|file| file.unwrap()).collect();
        assert_eq!(files.iter().map(std::fs::DirEntry::file_name).collect::<Vec<_>>(), ["confirm-email-1.eml"]);
        let text = std::fs::read_to_string(files[0].path()).unwrap();
        for header in [
            "To: ada@example.com",
            "From: Staymesh <booking@staymesh.example>",
            "Message-ID: <confirm-email-1@staymesh.example>",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
            "Subject: Bitte =?utf-8?b?YmVzdMOkdGlnZW4=?= Sie Ihre Adresse",
        ] {
            assert!(text.contains(header), "{header} in {text}");
        }
    }

    #[tokio::test]
    async fn address_that_adds_a_recipient_or_header_is_undeliverable() {
        let dir = tempfile::tempdir().unwrap();
        let mailer = Mailer::new(&MailConfig {
            smtp_url: format!("file://{}", dir.path().display()).into(),
            mail_from: "booking@staymesh.example".into(),
            public_url: "https://booking.example".into(),
        })
        .unwrap();
        for to in ["", "a@b.example,c@d.example", "a@b.example\r\nBcc: c@d.example", "<a@b.example>", "a b@c.example"] {
            assert_eq!(mailer.send(&mail(to)).await, Err(crate::MailError::Undeliverable), "{to:?}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
