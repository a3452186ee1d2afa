//! `staymesh edge-config` and `staymesh descriptor`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args;
use staymesh_edge::EdgeConfig;

/// Writes the configuration of Envoy and the descriptor set.
#[derive(Args)]
pub(crate) struct EdgeConfigCommand {
    /// Folder to write `envoy.yaml` into; the descriptor set goes where the configuration says
    #[arg(long)]
    output: PathBuf,
    #[command(flatten)]
    config: EdgeConfig,
}

/// Writes the compiled contract.
#[derive(Args)]
pub(crate) struct Descriptor {
    /// File to write
    output: PathBuf,
}

impl EdgeConfigCommand {
    pub(crate) fn run(self) -> Result<()> {
        let rendered = staymesh_edge::render(&self.config, staymesh_api::DESCRIPTOR_SET)?;
        write(&self.output.join("envoy.yaml"), rendered.bootstrap.as_bytes())?;
        write(&self.config.descriptor_set, &rendered.descriptor_set)
    }
}

impl Descriptor {
    pub(crate) fn run(self) -> Result<()> {
        write(&self.output, staymesh_api::DESCRIPTOR_SET)
    }
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    }
    fs::write(path, content).with_context(|| format!("writing {}", path.display()))
}
