//! The two listeners of the edge.

use staymesh_api::options::v1::Gateway;

/// A listener of the edge: one for the internet, one for the operator's own network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ListenerKind {
    Public,
    Internal,
}

impl ListenerKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
        }
    }

    /// Whether this listener serves the services of a gateway. The internal listener serves the public ones too.
    pub(crate) fn serves(self, gateway: Gateway) -> bool {
        match self {
            Self::Public => gateway == Gateway::Public,
            Self::Internal => matches!(gateway, Gateway::Public | Gateway::Internal),
        }
    }
}
