//! The edge: the one source of Envoy's configuration, for a developer's machine and for a cluster.
//!
//! What the edge does follows from the contract: which gateway has a service, who may call a method and which REST
//! paths there are. So the configuration is computed from the descriptor set and cannot disagree with it; see
//! `docs/adr/0001-envoy-config-from-the-contract.md`.
//!
//! [`render`] yields two files for Envoy: the bootstrap configuration and the descriptor set that it transcodes by.

mod access_log;
mod bootstrap;
mod clusters;
mod config;
mod descriptors;
mod envoy;
mod filters;
mod jwt;
mod listener;
mod listener_kind;
mod local_replies;
mod lua;
mod rate_limit;
mod routes;
mod template;
mod transcoder;

pub use config::{EdgeConfig, HostPort, HostPortError, Limits, Timeouts, Upstreams};

use staymesh_contract::{Contract, ContractError};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The contract cannot be read.
    #[error("the contract cannot be read: {0}")]
    Contract(#[from] ContractError),
    /// The descriptor set cannot be decoded.
    #[error("the contract cannot be read: {0}")]
    Descriptor(#[from] prost_reflect::DescriptorError),
    /// The descriptor set does not contain a definition that its own options use.
    #[error("the descriptor set does not contain {0}")]
    Missing(&'static str),
    /// The descriptor set cannot be read as a message of its own type.
    #[error("the descriptor set is malformed: {0}")]
    Malformed(#[from] prost_reflect::prost::DecodeError),
    /// A gateway exposes a service that no upstream serves.
    #[error("{service} belongs to the upstream '{upstream}', which is not configured")]
    NoUpstream {
        /// Full name of the gRPC service.
        service: String,
        /// The upstream that its package names.
        upstream: String,
    },
    /// The configuration cannot be printed.
    #[error("the configuration cannot be printed: {0}")]
    Print(#[from] serde_norway::Error),
}

/// What Envoy reads.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The bootstrap configuration, YAML.
    pub bootstrap: String,
    /// What belongs into the file [`EdgeConfig::descriptor_set`]: the contract as Envoy's transcoder can take it.
    pub descriptor_set: Vec<u8>,
}

/// Envoy's configuration for a contract, given as an encoded `FileDescriptorSet` ([`staymesh_api::DESCRIPTOR_SET`]).
///
/// # Errors
/// When the contract cannot be read or cannot be served.
pub fn render(config: &EdgeConfig, descriptor_set: &[u8]) -> Result<Rendered, EdgeError> {
    let contract = Contract::read(descriptor_set)?;
    let bootstrap = bootstrap::bootstrap(config, &contract)?;
    Ok(Rendered {
        bootstrap: serde_norway::to_string(&bootstrap)?,
        descriptor_set: descriptors::for_envoy(descriptor_set)?,
    })
}
