//! What happens to a request before a handler sees it, and how a service is served.

mod authorize;
mod deadline;
mod limit;
mod malformed;
mod panic;
mod run;
mod stack;
mod trace;

pub use run::{ServeError, ServerSpec, serve};
pub use stack::{LayerConfig, server_stack};

use axum::response::Response;
use tonic::body::Body;

use crate::errors::Problem;

/// A refusal by a layer, as a gRPC answer.
fn refuse(problem: Problem) -> Response {
    tonic::Status::from(problem).into_http::<Body>().map(axum::body::Body::new)
}

/// Whether the path belongs to health checks or reflection, which are open and never shed.
fn is_infrastructure(path: &str) -> bool {
    path.starts_with("/grpc.health.") || path.starts_with("/grpc.reflection.")
}
