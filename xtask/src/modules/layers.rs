//! The order of the crates: each depends only on crates of lower layers.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::source::Crate;

/// The layers from the bottom to the top. Crates of one layer do not depend on each other. Dependencies of tests do not
/// count.
const LAYERS: &[&[&str]] = &[
    &["api", "domain", "devenv"],
    &["contract", "store", "psp", "psp-simulator", "localmesh"],
    &["mesh", "ledger", "mail", "testkit"],
    &["identity", "hotel", "rate", "reservation", "payment", "search", "partner", "cdc", "edge"],
    &["staymesh", "staymesh-dev", "load"],
    &["bench", "faults", "protocol-model", "xtask", "tests"],
];

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
}

/// What breaks the order, one sentence each.
///
/// # Errors
///
/// If a manifest cannot be read.
pub(super) fn check(crates: &[Crate]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for member in crates {
        let path = member.dir.join("Cargo.toml");
        let manifest = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let manifest: Manifest = toml::from_str(&manifest).with_context(|| format!("reading {}", path.display()))?;
        let dependencies = manifest.dependencies.keys();
        let dependencies: Vec<&str> = dependencies.map(|name| name.strip_prefix("staymesh-").unwrap_or(name)).collect();
        let known = crates.iter().map(|member| member.name.as_str());
        let dependencies: Vec<&str> = known.filter(|name| dependencies.contains(name)).collect();
        faults.extend(faults_of(&member.name, &dependencies));
    }
    Ok(faults)
}

/// What is wrong with the dependencies of one crate.
pub(super) fn faults_of(name: &str, dependencies: &[&str]) -> Vec<String> {
    let Some(own) = layer(name) else {
        return vec![format!("crate {name} has no layer: give it one in xtask/src/modules/layers.rs")];
    };
    let upward = dependencies.iter().filter(|dependency| layer(dependency).is_some_and(|layer| layer >= own));
    let sentence = |dependency| format!("crate {name} depends on {dependency}, which is in the same layer or above");
    upward.map(sentence).collect()
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}
