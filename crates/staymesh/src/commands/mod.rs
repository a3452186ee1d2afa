//! What an operator can ask of the binary, one file a command.

pub(crate) mod edge;
pub(crate) mod identity;
pub(crate) mod job;
pub(crate) mod migrate;
pub(crate) mod serve;
