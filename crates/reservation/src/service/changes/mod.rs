//! Changes of what was agreed: quoting and applying them, cancelling single rooms, and the payment of a difference.

mod apply;
mod quote;
mod targets;

pub(super) use apply::hash;
pub(crate) use apply::may_reprice;
pub(crate) use quote::ChangeForm;
pub(crate) use targets::{ChangeRequest, DatesChange, RoomChangeRequest};
