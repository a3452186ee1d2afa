//! The unprivileged Unix account under which PostgreSQL runs when the parent process is root.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A Unix account that a child process can be started under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// The Linux capability with which it passes directories that are closed to it, such as a home directory.
    reach: Option<&'static str>,
}

/// The capabilities to try, the weakest first. Some containers refuse the second.
const REACHES: [Option<&str>; 3] = [None, Some("dac_read_search"), Some("dac_override")];

impl Account {
    /// The account for PostgreSQL, which refuses to run as root. `None` if this process is not root.
    pub(crate) fn for_postgres() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        let known = fs::read_to_string("/etc/passwd").context("reading /etc/passwd")?;
        let account = Self::parse(&known, "postgres").or_else(|| Self::parse(&known, "nobody"));
        account.map(Some).context("PostgreSQL cannot run as root and there is no account `postgres` or `nobody`")
    }

    fn parse(passwd: &str, name: &str) -> Option<Self> {
        passwd.lines().find_map(|line| {
            let mut fields = line.split(':');
            if fields.next()? != name {
                return None;
            }
            let uid = fields.nth(1)?.parse().ok()?;
            let gid = fields.next()?.parse().ok()?;
            Some(Self { name: name.to_owned(), uid, gid, reach: None })
        })
    }

    /// Finds the capability with which this account can use `dir`, which it must own already.
    pub(crate) fn reaching(mut self, dir: &Path) -> Result<Self> {
        for reach in REACHES {
            self.reach = reach;
            // Not `test -w`: access(2) ignores capabilities.
            let probe = Command::new("setpriv").args(self.setpriv_args()).args(["stat", "--"]).arg(dir).output();
            if probe.context("running `setpriv` (Debian package util-linux)")?.status.success() {
                return Ok(self);
            }
        }
        bail!(
            "the account `{}`, under which PostgreSQL runs because this is root, cannot reach {}; \
             move the checkout to a directory that every account can enter (for example /srv), or run as an ordinary user",
            self.name,
            dir.display()
        )
    }

    /// The arguments of `setpriv` that change to this account.
    pub(crate) fn setpriv_args(&self) -> Vec<String> {
        let mut args =
            vec![format!("--reuid={}", self.uid), format!("--regid={}", self.gid), "--clear-groups".to_owned()];
        if let Some(capability) = self.reach {
            args.push(format!("--inh-caps=+{capability}"));
            args.push(format!("--ambient-caps=+{capability}"));
        }
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_finds_account_by_name_and_skips_broken_lines() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\nbad\n";
        let found = Account::parse(passwd, "postgres");
        assert_eq!(found, Some(Account { name: "postgres".to_owned(), uid: 101, gid: 104, reach: None }));
        assert_eq!(Account::parse(passwd, "nobody"), None);
    }
}
