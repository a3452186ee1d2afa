//! The gRPC server of a service: its layers ([`server_stack`]) and its life cycle ([`serve`]).

mod authorize;
mod deadline;
mod limit;
mod malformed;
mod panic;
mod reflection;
mod refusal;
mod run;
mod source;
mod stack;
mod trace;

pub use reflection::ReflectionError;
pub use run::{ServeError, ServerSpec, serve};
pub use stack::{LayerConfig, server_stack};
