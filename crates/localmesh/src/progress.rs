//! Progress reports of the start of a mesh.

use anyhow::Result;

/// Receives progress reports of the start of a mesh.
pub trait Progress {
    /// A step begins.
    fn begin(&self, _step: &str) {}
    /// What the step is doing.
    fn say(&self, _what: &str) {}
    /// The step is done.
    fn done(&self, _outcome: &str) {}
    /// Called between and during steps, to abort the start.
    ///
    /// # Errors
    /// Ends the start.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Ignores progress reports.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {}
