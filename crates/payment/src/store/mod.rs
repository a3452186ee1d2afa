//! SQL, and nothing but SQL.

pub mod events;
pub mod partner_sales;
pub mod payments;
pub mod refunds;

#[cfg(test)]
mod tests;
