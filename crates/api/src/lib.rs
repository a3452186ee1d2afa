//! The contract of Staymesh in Rust: what `proto/` compiles to, and nothing else.
//!
//! The comments are in the `.proto` files, which are the only copy of the contract.

#[allow(missing_docs, clippy::all, clippy::pedantic, unreachable_pub)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/contract.rs"));
}

pub use generated::{google, staymesh::*};

/// The compiled contract with its imports, options and comments, as an encoded `google.protobuf.FileDescriptorSet`: what
/// reflection serves, what the edge transcodes by and what authorization reads.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor_set.binpb"));
