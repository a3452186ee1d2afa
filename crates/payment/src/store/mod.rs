//! SQL, and nothing but SQL. Functions that change a payment expect it to be locked with [`payments::lock`].

pub(crate) mod audit;
pub mod cancellations;
pub mod change_settlements;
pub mod desk;
pub mod events;
pub mod partner_credit;
pub mod partner_sale_changes;
pub mod partner_sales;
pub mod payment_events;
pub mod payment_notes;
pub mod payments;
pub mod payouts;
pub mod refunds;
pub mod statements;
pub mod transfers;
pub mod unposted;

#[cfg(test)]
mod tests;
