//! The payment service against a real database, with mocks of the provider and the reservation service.

mod amendments;
mod cancel;
mod change_sums;
pub(crate) mod changes;
mod create;
mod desk;
mod desk_refunds;
mod destinations;
mod guards;
mod late_changes;
mod ledger;
mod partner;
mod partner_credit;
mod partner_credit_steps;
mod payouts;
mod penalty;
mod relay;
mod stripe;
mod sweep;
mod webhook;
mod whole;
