//! Telling somebody how far the start is.

use anyhow::Result;

/// Listens to the start of a mesh.
pub trait Progress {
    /// A step begins.
    fn begin(&self, _step: &str) {}
    /// What the step is at.
    fn say(&self, _what: &str) {}
    /// The step is done.
    fn done(&self, _outcome: &str) {}
    /// Called often.
    ///
    /// # Errors
    /// Ends the start.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {}
