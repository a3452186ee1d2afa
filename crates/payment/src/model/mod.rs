//! The data of payments: payments and their state machine, refunds, partner sales, and reservations as payments see them.
//!
//! No I/O. Amounts are [`Money`](staymesh_domain::Money): minor units with their currency.

mod amendment;
mod booking;
mod change;
mod decisions;
mod desk;
mod partner_credit;
mod partner_sale;
mod payment;
mod refund;

pub use amendment::{AmendmentRefusal, amends, settled_sale, was_applied};
pub use booking::{Booking, CancellationReason, PaymentMode, PendingChange, ReservationStatus, Settlement};
pub use change::{ChangeSettlement, Standing, kept_back, newest_first};
pub use decisions::{Notice, RefundRefusal, left_by_policy, refunds_to_report, shares_of_change, shares_of_end};
pub use desk::{DeskPayment, PaymentMethod};
pub use partner_credit::{CreditLimit, CreditRefusal, DefaultCredit, NewPartnerPayment, PartnerPayment};
pub use partner_sale::{PartnerSale, PartnerTerms, SaleState};
pub use payment::{BOOKING, NewPayment, Payment, Status, StatusFilter};
pub use refund::{Refund, RefundReason, RefundRequest};
