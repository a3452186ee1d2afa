//! Licences, banned crates and sources of what is built, against `deny.toml`, without cargo-deny and offline.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use spdx::{Expression, ParseMode};
use staymesh_devenv::repository;

use crate::tools::cargo_output;

/// The sections of `deny.toml` that are checked here.
#[derive(Debug, Deserialize)]
struct Rules {
    licenses: Licenses,
    bans: Bans,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Debug, Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
}

/// One package of the build: `cargo tree` knows which optional ones are really used, `cargo metadata` does not.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package<'a> {
    name: &'a str,
    version: &'a str,
    licence: &'a str,
    /// Where it comes from if not from the default registry or this repository.
    foreign_source: Option<&'a str>,
}

/// Checks everything that the workspace builds on this machine. Yields a sentence with the count.
pub(crate) fn check() -> Result<String> {
    let rules = fs::read_to_string(repository().join("deny.toml")).context("reading deny.toml")?;
    let rules: Rules = toml::from_str(&rules).context("reading deny.toml")?;
    let format = ["--prefix", "none", "--format", "{p}\t{l}"];
    let tree = ["tree", "--workspace", "--edges", "all", "--locked"];
    let tree = cargo_output(&[&tree[..], &format[..]].concat())?;
    let root = repository().display().to_string();
    let packages: BTreeSet<Package> = tree.lines().filter_map(|line| parse(line, &root)).collect();
    let faults: Vec<String> = packages.iter().filter_map(|package| fault(package, &rules)).collect();
    if !faults.is_empty() {
        bail!("not allowed by deny.toml:\n  {}", faults.join("\n  "));
    }
    Ok(format!("{} packages, all with licences and sources that deny.toml allows", packages.len()))
}

/// Reads "name v1.2.3 (where it is from)" and its licence; packages of this repository are left out.
fn parse<'a>(line: &'a str, root: &str) -> Option<Package<'a>> {
    // `(*)` marks a package whose dependencies were listed before.
    let (package, licence) = line.trim_end_matches(" (*)").split_once('\t')?;
    let mut words = package.splitn(3, ' ');
    let (name, version) = (words.next()?, words.next()?);
    let notes = words.next().unwrap_or_default().replace("(proc-macro)", "");
    if notes.contains(root) {
        return None;
    }
    let foreign_source = (!notes.trim().is_empty()).then_some(package);
    Some(Package { name, version: version.trim_start_matches('v'), licence, foreign_source })
}

/// Why `deny.toml` refuses a package; `None` if it is allowed.
fn fault(package: &Package, rules: &Rules) -> Option<String> {
    let Package { name, version, licence, foreign_source } = package;
    if let Some(source) = foreign_source {
        return Some(format!("{source}: only the default registry may be used"));
    }
    if rules.bans.deny.iter().any(|banned| banned.name == *name) {
        return Some(format!(
            "{name} {version}: banned (`cargo tree --workspace --invert {name}` shows what depends on it)"
        ));
    }
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return Some(format!("{name} {version}: no readable licence (`{licence}`)"));
    };
    let allowed = expression.evaluate(|wanted| rules.licenses.allow.contains(&wanted.to_string()));
    (!allowed).then(|| format!("{name} {version}: licence {licence}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        let text = "[licenses]\nallow = ['MIT', 'ISC']\n[bans]\ndeny = [{ crate = 'openssl' }]\n";
        toml::from_str(text).expect("the rules are well formed")
    }

    fn fault_of(line: &str) -> Option<String> {
        fault(&parse(line, "/src/staymesh")?, &rules())
    }

    #[test]
    fn fault_is_none_for_allowed_packages() {
        assert_eq!(fault_of("url v2.5.0\tMIT OR Apache-2.0"), None);
        assert_eq!(fault_of("fnv v1.0.7\tApache-2.0 / MIT (*)"), None);
        assert_eq!(fault_of("a-macro v1.0.0 (proc-macro)\tMIT AND ISC"), None);
        assert_eq!(fault_of("staymesh-api v0.1.0 (/src/staymesh/crates/api)\tApache-2.0"), None);
    }

    #[test]
    fn fault_names_package_and_reason() {
        let fault = |line| fault_of(line).unwrap_or_default();
        assert!(fault("x v1.0.0\tGPL-3.0-only").ends_with("licence GPL-3.0-only"));
        assert!(fault("x v1.0.0\tMIT AND GPL-3.0-only").ends_with("licence MIT AND GPL-3.0-only"));
        assert!(fault("x v1.0.0\t").contains("no readable licence"));
        assert!(fault("openssl v1.0.0\tMIT").contains("banned"));
        assert!(fault("x v1.0.0 (https://example.org/x#abc)\tMIT").contains("only the default registry"));
    }
}
