//! Replacing the binaries of a running mesh, as an upgrade does.

use std::path::PathBuf;

use anyhow::Result;
use staymesh_devenv::Envoy;

use super::{LocalMesh, Quiet};

impl LocalMesh {
    /// Takes these binaries for all that starts from now on; running processes stay.
    pub fn use_binaries(&mut self, binary: PathBuf, dev_binary: PathBuf) {
        self.options.binary = binary;
        self.options.dev_binary = dev_binary;
    }

    /// Replaces the edge by one with the configuration that the present binary writes, at the same addresses.
    ///
    /// # Errors
    /// When the edge does not stop or start.
    pub fn replace_edge(&mut self) -> Result<()> {
        self.envoy.as_mut().map_or(Ok(()), Envoy::stop)?;
        self.envoy = None;
        self.start_edge(&Quiet)
    }
}
