//! The check of the logs that the tests left: no e-mail address, access token, link key or secret of a mesh is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use staymesh_localmesh::ADMIN_EMAIL;

/// Texts that only a log with personal data or secrets has, and what they are: names and passwords that the tests use, the
/// beginnings of headers and of links.
const MARKERS: [(&str, &str); 7] = [
    ("A guest", "a name"),
    ("correct horse", "a password"),
    ("Bearer ", "an authorization header"),
    ("eyJ", "an access token"),
    ("?key=", "the key of a status page"),
    ("\"password\"", "a password"),
    ("DETAIL:", "the row of a refused statement"),
];
/// Findings to report; more add nothing.
const MOST_FINDINGS: usize = 20;

/// Checks the logs below `dirs` that were written since `since`. Yields a sentence with the count.
///
/// # Errors
/// If a log holds personal data or a secret, naming file and line but not the text; if there is no log.
pub(crate) fn check(dirs: &[PathBuf], since: SystemTime) -> Result<String> {
    let mut logs = Vec::new();
    let mut secrets = Vec::new();
    for dir in dirs.iter().filter(|dir| dir.exists()) {
        collect(dir, since, &mut logs, &mut secrets)?;
    }
    if logs.is_empty() {
        bail!("the tests left no log");
    }
    let mut findings = Vec::new();
    for log in &logs {
        let text = fs::read(log).with_context(|| format!("reading {}", log.display()))?;
        for (number, line) in String::from_utf8_lossy(&text).lines().enumerate() {
            if let Some(what) = private(line, &secrets) {
                findings.push(format!("{}:{} holds {what}", log.display(), number + 1));
            }
        }
    }
    if !findings.is_empty() {
        let shown = findings.iter().take(MOST_FINDINGS).cloned().collect::<Vec<_>>().join("\n  ");
        bail!("{} lines of the logs hold what must never be logged:\n  {shown}", findings.len());
    }
    Ok(format!("{} logs, {} secrets looked for", logs.len(), secrets.len()))
}

/// Finds logs, and secrets that a mesh was started with.
fn collect(dir: &Path, since: SystemTime, logs: &mut Vec<PathBuf>, secrets: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() && path.file_name().is_some_and(|name| name == "data") {
            continue; // PostgreSQL's own files, which change while it runs.
        }
        if kind.is_dir() {
            collect(&path, since, logs, secrets)?;
        } else if path.parent().is_some_and(|dir| dir.ends_with("secrets")) {
            secrets.push(fs::read_to_string(&path)?.trim().to_owned());
        } else if path.extension().is_some_and(|extension| extension == "log") && entry.metadata()?.modified()? >= since
        {
            logs.push(path);
        }
    }
    Ok(())
}

/// What a line holds that must not be logged, if anything.
fn private(line: &str, secrets: &[String]) -> Option<&'static str> {
    if let Some((_, what)) = MARKERS.iter().find(|(marker, _)| line.contains(marker)) {
        return Some(what);
    }
    if secrets.iter().any(|secret| secret.len() >= 16 && line.contains(secret.as_str())) {
        return Some("a secret");
    }
    let address = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word != ADMIN_EMAIL && is_address(word)
    };
    line.split(|c: char| !(c.is_alphanumeric() || "@.-_+".contains(c))).any(address).then_some("an e-mail address")
}

/// Whether a word looks like `name@host.domain`.
fn is_address(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty()
            && host.split_once('.').is_some_and(|(first, rest)| {
                !first.is_empty() && rest.chars().next_back().is_some_and(char::is_alphabetic)
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_names_what_a_line_holds() {
        let secrets = ["0123456789abcdef0123".to_owned()];
        for (line, what) in [
            (r#"{"message":"sent to guest-1@mail.example"}"#, "an e-mail address"),
            ("Key (email)=(a.b+c@mail.example) already exists.", "an e-mail address"),
            ("authorization: Bearer x", "an authorization header"),
            ("token eyJhbGciOi", "an access token"),
            ("GET /v1/statusPages/1?key=abc", "the key of a status page"),
            ("key 0123456789abcdef0123", "a secret"),
            ("DETAIL:  Failing row contains (1)", "the row of a refused statement"),
        ] {
            assert_eq!(private(line, &secrets), Some(what), "{line}");
        }
        for line in [
            r#"{"path":"/v1/statusPages/1","request_id":"b8f8"}"#,
            "ERROR:  duplicate key value violates unique constraint \"user_email\"",
            "cluster@1.2 was updated",
        ] {
            assert_eq!(private(line, &secrets), None, "{line}");
        }
    }

    #[test]
    fn check_reads_logs_of_this_run_and_names_file_and_line() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let logs = dir.path().join("mesh-0/logs");
        fs::create_dir_all(&logs)?;
        assert!(check(&[dir.path().to_owned()], SystemTime::UNIX_EPOCH).is_err(), "no log");
        fs::write(logs.join("hotel.log"), "started\n")?;
        check(&[dir.path().to_owned()], SystemTime::UNIX_EPOCH)?;
        fs::write(logs.join("identity.log"), "started\nmail to guest@mail.example\n")?;
        let error = check(&[dir.path().to_owned()], SystemTime::UNIX_EPOCH).unwrap_err().to_string();
        assert!(error.contains("identity.log:2 holds an e-mail address") && !error.contains("guest@"), "{error}");
        Ok(())
    }
}
