//! The edge: generates Envoy's configuration from the contract, for local runs and for clusters.
//!
//! The contract says which gateway exposes a service, who may call a method and which REST paths exist. The configuration is
//! computed from its descriptor set and therefore cannot contradict it; see
//! `docs/adr/0001-envoy-config-from-the-contract.md`.
//!
//! [`render`] returns the two files that Envoy reads: the bootstrap configuration and the descriptor set for transcoding.

mod access_log;
mod body;
mod bootstrap;
mod clusters;
mod config;
mod cors;
mod descriptors;
mod envoy;
mod filters;
mod jwt;
mod listener;
mod listener_kind;
mod local_replies;
mod lua;
mod origin;
mod rate_limit;
mod rest_methods;
mod routes;
mod shares;
mod template;
mod transcoder;

pub use config::{EdgeConfig, HostPort, HostPortError, Limits, Timeouts, Upstreams};
pub use origin::{Origin, OriginError};
pub use shares::{AddressLimits, Shares};

use staymesh_contract::{Contract, ContractError};

/// Why the configuration cannot be generated.
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
    /// The configuration cannot be serialized as YAML.
    #[error("the configuration cannot be serialized: {0}")]
    Print(#[from] serde_norway::Error),
}

/// The files that Envoy reads.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The bootstrap configuration, YAML.
    pub bootstrap: String,
    /// Content of the file [`EdgeConfig::descriptor_set`]: the contract in the form that Envoy's transcoder supports.
    pub descriptor_set: Vec<u8>,
}

/// Generates Envoy's configuration for a contract, an encoded `FileDescriptorSet` ([`staymesh_api::DESCRIPTOR_SET`]).
///
/// # Errors
/// When the contract cannot be read, or exposes a service without an upstream.
pub fn render(config: &EdgeConfig, descriptor_set: &[u8]) -> Result<Rendered, EdgeError> {
    let contract = Contract::read(descriptor_set)?;
    let bootstrap = bootstrap::bootstrap(config, &contract)?;
    Ok(Rendered {
        bootstrap: serde_norway::to_string(&bootstrap)?,
        descriptor_set: descriptors::for_envoy(descriptor_set)?,
    })
}
