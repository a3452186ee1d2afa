//! Proto in, domain out, errors to statuses; no rules here. Callers are authorized before anything is validated.

mod admin;
mod convert;
mod flow;
mod inventory;
mod reservations;

pub(crate) use admin::Admin;
pub(crate) use flow::Flow;
pub(crate) use inventory::Inventory;
pub(crate) use reservations::Reservations;
