//! Placeholder
use anyhow::Result;
use std::process::ExitCode;
#[derive(Debug, clap::Args)]
pub(crate) struct Options {}
pub(crate) fn run(_o: &Options) -> Result<ExitCode> {
    anyhow::bail!("later")
}
