//! Reflection (`grpc.reflection.v1` and `v1alpha`): describes to each caller the services that its gateway serves, and
//! nothing of the others.

use axum::{Router, extract::Request, routing::any};
use staymesh_api::options::v1::Gateway;
use staymesh_contract::{ContractError, visible_files};
use tonic::service::Routes;
use tonic_reflection::server::Builder;
use tower::ServiceExt;

use crate::gateway;

/// The reflection services, by gRPC path.
const PATHS: [&str; 2] =
    ["/grpc.reflection.v1.ServerReflection/{*method}", "/grpc.reflection.v1alpha.ServerReflection/{*method}"];

/// Why reflection cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ReflectionError {
    /// The contract cannot be read.
    #[error("the contract: {0}")]
    Contract(#[from] ContractError),
    /// The descriptors cannot be served.
    #[error("{0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// Adds the reflection services. Each request is answered with the descriptors of the gateway by which it entered.
pub(super) fn add_reflection(services: Router) -> Result<Router, ReflectionError> {
    let (public, internal, mesh) =
        (described(Gateway::Public)?, described(Gateway::Internal)?, described(Gateway::Mesh)?);
    let answer = move |request: Request| {
        let described = match gateway::entered(request.headers()) {
            Gateway::Internal => &internal,
            Gateway::Mesh => &mesh,
            Gateway::Public | Gateway::Unspecified => &public,
        };
        described.clone().oneshot(request)
    };
    let [v1, v1alpha] = PATHS;
    Ok(services.route(v1, any(answer.clone())).route(v1alpha, any(answer)))
}

/// Both versions of reflection over what the callers at a gateway may see.
fn described(gateway: Gateway) -> Result<Router, ReflectionError> {
    let files = visible_files(staymesh_api::DESCRIPTOR_SET, gateway)?;
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(&files)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    Ok(Routes::new(builder().build_v1()?).add_service(builder().build_v1alpha()?).into_axum_router())
}
