//! Installing what the developer's commands run: PostgreSQL, Redis, Envoy and buf.

use anyhow::Result;
use staymesh_devenv::{Component, dev_dir, install};

use crate::progress::Line;

/// Installs those of `wanted` that are missing, showing progress.
///
/// # Errors
///
/// If one cannot be installed.
pub(crate) fn install(wanted: &[Component]) -> Result<()> {
    let line = Line::new("components");
    install::install(&dev_dir(), wanted, &|text| line.say(text))?;
    line.done("all are installed");
    Ok(())
}
