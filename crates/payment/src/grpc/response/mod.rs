//! Domain values to messages.

pub(super) mod cases;
pub(super) mod partner_credit;
pub(super) mod partner_sales;
pub(super) mod payments;
pub(super) mod payouts;
