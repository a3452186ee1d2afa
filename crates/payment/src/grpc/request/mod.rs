//! Messages to domain values. Every function reports all invalid fields of its message, not only the first.

pub(super) mod cases;
pub(super) mod changes;
pub(super) mod desk;
pub(super) mod partner_credit;
pub(super) mod partner_sales;
pub(super) mod payments;
pub(super) mod payouts;
