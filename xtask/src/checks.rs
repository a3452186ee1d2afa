//! The checks that need no running mesh.

use std::process::ExitCode;

use anyhow::Result;
use staymesh_devenv::Component;

use crate::components::install;
use crate::steps::Steps;
use crate::tools::{cargo, run as run_tool};
use crate::{contract, conversions, docs, licences, modules};

/// How many steps [`add`] adds.
pub(crate) const COUNT: usize = 8;

/// `cargo xtask lint`.
pub(crate) fn run() -> Result<ExitCode> {
    let mut steps = Steps::new(COUNT + 1);
    steps.run("install components", || install(&[Component::Buf]))?;
    add(&mut steps)?;
    Ok(steps.finish())
}

/// Runs the checks, the quick ones first.
pub(crate) fn add(steps: &mut Steps) -> Result<()> {
    steps.run("formatting", || run_tool(cargo(&["fmt", "--all", "--check"])))?;
    steps.run("docs", || docs::check().map(|found| eprintln!("{found}")))?;
    steps.run("modules", || modules::check_workspace().map(|found| eprintln!("{found}")))?;
    steps.run("conversions", || conversions::check().map(|found| eprintln!("{found}")))?;
    steps.run("contract: lint", contract::lint)?;
    steps.run("contract: breaking", contract::breaking)?;
    steps.run("licences", || licences::check().map(|found| eprintln!("{found}")))?;
    steps.run("clippy", || {
        run_tool(cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    })?;
    Ok(())
}
