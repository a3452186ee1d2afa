//! Passwords and keys of the local mesh: random, made once, kept with its data.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use staymesh_parts::keep_secret;

/// Where the secrets of one data directory are, one file each.
#[derive(Debug)]
pub(super) struct Secrets {
    dir: PathBuf,
}

impl Secrets {
    pub(super) fn below(dir: &Path) -> Result<Self> {
        let dir = dir.join("secrets");
        fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(Self { dir })
    }

    /// The secret of this name: 64 hexadecimal digits, the same in every run over the same data.
    pub(super) fn get(&self, name: &str) -> Result<String> {
        keep_secret(&self.dir.join(name))
    }
}
