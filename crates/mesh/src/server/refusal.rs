//! Helpers of the layers: the response of a layer that refuses a request, and the paths that layers exempt.

use axum::response::Response;
use tonic::body::Body;

use crate::errors::Problem;

/// A problem as a gRPC response.
pub(super) fn refuse(problem: Problem) -> Response {
    tonic::Status::from(problem).into_http::<Body>().map(axum::body::Body::new)
}

/// Whether the path belongs to health checks or reflection, which need no token and are never shed.
pub(super) fn is_infrastructure(path: &str) -> bool {
    path.starts_with("/grpc.health.") || path.starts_with("/grpc.reflection.")
}
