//! Roles: those of the contract (`identity.v1.Role`), and those of access rules and tokens.

use staymesh_api::identity::v1 as proto;
use staymesh_mesh::auth::Role;

/// The role of an access rule with the name of a role of the contract.
pub(super) const fn from_proto(role: proto::Role) -> Role {
    match role {
        proto::Role::Unspecified => Role::Unspecified,
        proto::Role::Guest => Role::Guest,
        proto::Role::Staff => Role::Staff,
        proto::Role::Partner => Role::Partner,
        proto::Role::Admin => Role::Admin,
        proto::Role::Service => Role::Service,
    }
}

/// The role of the contract with the name of a role of an access rule.
pub(super) const fn to_proto(role: Role) -> proto::Role {
    match role {
        Role::Unspecified => proto::Role::Unspecified,
        Role::Guest => proto::Role::Guest,
        Role::Staff => proto::Role::Staff,
        Role::Partner => proto::Role::Partner,
        Role::Admin => proto::Role::Admin,
        Role::Service => proto::Role::Service,
    }
}
