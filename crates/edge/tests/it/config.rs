//! The generated configuration.

use anyhow::Result;
use staymesh_devenv::{Component, Envoy, dev_dir, install};
use staymesh_edge::render;

use crate::edge::{defaults, write};

#[test]
fn configuration_equals_the_reviewed_snapshot() -> Result<()> {
    insta::assert_snapshot!(render(&defaults()?, staymesh_api::DESCRIPTOR_SET)?.bootstrap);
    Ok(())
}

#[test]
fn envoy_accepts_the_configuration() -> Result<()> {
    install::install(&dev_dir(), &[Component::Envoy], &|line| eprintln!("{line}"))?;
    let dir = tempfile::tempdir()?;
    let mut config = defaults()?;
    config.descriptor_set = dir.path().join("contract.binpb");
    let options = write(dir.path(), &config)?;
    Envoy::validate(&options.binary, &options.config)
}

#[test]
fn invalid_descriptor_set_is_refused() -> Result<()> {
    let error = render(&defaults()?, b"nonsense").map(drop);
    assert!(error.is_err_and(|e| e.to_string().starts_with("the contract cannot be read")));
    Ok(())
}
