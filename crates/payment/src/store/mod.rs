//! SQL, and nothing but SQL.

pub mod events;
pub mod partner_sales;
pub mod payment_events;
pub mod payments;
pub mod payouts;
pub mod refunds;
pub mod statements;
pub mod transfers;

#[cfg(test)]
mod tests;
