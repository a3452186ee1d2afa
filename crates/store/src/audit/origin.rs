//! Where a change comes from.

use std::future::Future;

tokio::task_local! {
    static ORIGIN: Option<Origin>;
}

/// The role of a caller whose changes are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorRole {
    /// An administrator.
    Admin,
    /// A member of a hotel's staff.
    Staff,
    /// Another service of the mesh.
    Service,
}

impl ActorRole {
    /// The role as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Staff => "staff",
            Self::Service => "service",
        }
    }
}

/// The gateway that accepted a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// The public gateway.
    Public,
    /// The internal gateway, for staff and administrators.
    Internal,
    /// None: a call between services.
    Mesh,
}

impl Gateway {
    /// The gateway as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Mesh => "mesh",
        }
    }
}

/// The origin of a change: who calls which method, in which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The role of the caller.
    pub role: ActorRole,
    /// The `sub` of the caller's token, 1 to 200 characters.
    pub actor: String,
    /// The method, `staymesh.hotel.v1.HotelAdminService/UpdateHotel`.
    pub method: String,
    /// The `x-request-id` of the request; empty if it has none.
    pub request_id: String,
    /// The gateway that accepted the request.
    pub gateway: Gateway,
}

impl Origin {
    /// Runs `work` with this origin; `None` for work whose changes are not recorded.
    pub async fn scope<F: Future>(origin: Option<Self>, work: F) -> F::Output {
        ORIGIN.scope(origin, work).await
    }

    /// The origin of the current task, if its changes are recorded.
    pub fn current() -> Option<Self> {
        ORIGIN.try_with(Clone::clone).ok().flatten()
    }
}
