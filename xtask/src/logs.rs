//! The check of the logs that the tests left: no e-mail address, name, password, token, link key or secret of a mesh is in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use clap::Args;
use staymesh_devenv::dev_dir;
use staymesh_localmesh::{ADMIN_EMAIL, SERVICES};

/// Texts that only a log with personal data or secrets has, and what they are: names and passwords that the tests use, the
/// beginnings of headers, of tokens and of links.
const MARKERS: [(&str, &str); 23] = [
    ("A guest", "a name"),
    ("Somebody else", "a name"),
    ("Ada Lovelace", "a name"),
    ("correct horse", "a password"),
    ("Correct horse", "a password"),
    ("a password of theirs", "a password"),
    ("not the password", "a password"),
    ("\"password\":", "a password"),
    ("password: \"", "a password"),
    ("Bearer ", "an authorization header"),
    ("Basic ", "an authorization header"),
    ("eyJ", "an access token"),
    ("refresh_token=", "a refresh token"),
    ("\"refresh_token\":", "a refresh token"),
    ("refresh_token: \"", "a refresh token"),
    ("\"guest_key\":", "the key of a booking link"),
    ("client_secret=", "a client's secret"),
    ("\"client_secret\":", "a client's secret"),
    ("client_secret: \"", "a client's secret"),
    ("token=", "the token of a mailed link"),
    ("?key=", "the key of a status page"),
    ("&key=", "the key of a status page"),
    ("DETAIL:", "the row of a refused statement"),
];
/// Logs of a mesh beside those of its services.
const PARTS: [&str; 4] = ["access", "envoy", "postgres", "redis"];
/// Host of addresses that tests of the store raise as errors in the database on purpose.
const RAISED: &str = "@example.test";
/// Findings to report; more add nothing.
const MOST_FINDINGS: usize = 20;
/// Shorter texts in a folder of secrets, such as a port, may be in a log by chance.
const SHORTEST_SECRET: usize = 16;

/// Flags of `cargo xtask logs`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Folders of logs; without them those of the tests and of `cargo xtask up`
    dirs: Vec<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(options: Options) -> Result<ExitCode> {
    let dirs = if options.dirs.is_empty() { vec![dev_dir().join("test"), dev_dir().join("run")] } else { options.dirs };
    println!("{}", check(&dirs, SystemTime::UNIX_EPOCH, &[])?);
    Ok(ExitCode::SUCCESS)
}

/// The names of the logs that a run of all tests leaves: of each service, of the edge and of the stores.
pub(crate) fn of_all_parts() -> Vec<&'static str> {
    SERVICES.into_iter().chain(PARTS).collect()
}

/// Checks the logs below `dirs` that were written since `since`. Yields a sentence with the count.
///
/// # Errors
/// If a log holds personal data or a secret, naming file and line but not the text; if there is no log, or none of an
/// `expected` name.
pub(crate) fn check(dirs: &[PathBuf], since: SystemTime, expected: &[&str]) -> Result<String> {
    let mut logs = Vec::new();
    let mut secrets = Vec::new();
    for dir in dirs.iter().filter(|dir| dir.exists()) {
        collect(dir, since, &mut logs, &mut secrets)?;
    }
    if logs.is_empty() {
        bail!("the tests left no log");
    }
    if let Some(missing) =
        expected.iter().find(|name| !logs.iter().any(|log| log.file_stem().is_some_and(|stem| stem == **name)))
    {
        bail!("the tests left no {missing}.log");
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
    Ok(format!("nothing private in {} logs; {} secrets looked for", logs.len(), secrets.len()))
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
    // As JSON in a text of JSON, and as in an address of the web.
    let line = &line.replace('\\', "").replace("%40", "@");
    if let Some((_, what)) = MARKERS.iter().find(|(marker, _)| line.contains(marker)) {
        return Some(what);
    }
    if secrets.iter().any(|secret| secret.len() >= SHORTEST_SECRET && line.contains(secret.as_str())) {
        return Some("a secret");
    }
    let address = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        word != ADMIN_EMAIL && !word.ends_with(RAISED) && is_address(word)
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
    use staymesh_devenv::repository;

    use super::*;
    use crate::source::rust_files;

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
            (r#"{"message":"{\"password\":\"x\"}"}"#, "a password"),
            ("Login { password: \"x\" }", "a password"),
            ("GET /v1/users?email=guest%40mail.example", "an e-mail address"),
        ] {
            assert_eq!(private(line, &secrets), Some(what), "{line}");
        }
        for line in [
            r#"{"path":"/v1/statusPages/1","request_id":"b8f8"}"#,
            "ERROR:  duplicate key value violates unique constraint \"user_email\"",
            "cluster@1.2 was updated",
            "ERROR:  new row for relation \"client_secret\" violates check constraint \"client_secret_hash_is_sha256\"",
            "ERROR:  no room for hidden@example.test",
        ] {
            assert_eq!(private(line, &secrets), None, "{line}");
        }
    }

    #[test]
    fn check_reads_logs_of_this_run_and_names_file_and_line() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let logs = dir.path().join("mesh-0/logs");
        fs::create_dir_all(&logs)?;
        let check = |expected: &[&str]| check(&[dir.path().to_owned()], SystemTime::UNIX_EPOCH, expected);
        assert!(check(&[]).is_err(), "no log");
        fs::write(logs.join("setup.log"), "started\n")?;
        for part in of_all_parts() {
            let missing = check(&of_all_parts()).unwrap_err().to_string();
            assert_eq!(missing, format!("the tests left no {part}.log"));
            fs::write(logs.join(part).with_extension("log"), "started\n")?;
        }
        check(&of_all_parts())?;
        for part in of_all_parts() {
            let log = logs.join(part).with_extension("log");
            fs::write(&log, "started\nmail to guest@mail.example\n")?;
            let error = check(&of_all_parts()).unwrap_err().to_string();
            let expected = format!("{part}.log:2 holds an e-mail address");
            assert!(error.contains(&expected) && !error.contains("guest@"), "{error}");
            fs::write(&log, "started\n")?;
        }
        Ok(())
    }

    #[test]
    fn private_knows_every_name_and_password_of_the_tests() -> Result<()> {
        let mut literals = 0;
        for file in rust_files(&repository().join("tests"))? {
            let source = fs::read_to_string(file)?;
            for start in ["\"full_name\": \"", "full_name: \"", "\"password\": \"", "PASSWORD: &str = \""] {
                for literal in source.split(start).skip(1).filter_map(|rest| rest.split('"').next()) {
                    // Shorter ones are wrong on purpose, or are in logs by chance.
                    if literal.trim().len() > 8 {
                        literals += 1;
                        assert!(private(literal, &[]).is_some(), "{literal} is not among the markers");
                    }
                }
            }
        }
        assert!(literals > 3, "the tests have names and passwords");
        Ok(())
    }
}
