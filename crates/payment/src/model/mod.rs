//! The data of payments: payments and their state machine, refunds, partner sales, and reservations as payments see them.
//!
//! No I/O. Amounts are [`Money`](staymesh_domain::Money): minor units with their currency.

mod booking;
mod decisions;
mod partner_credit;
mod partner_sale;
mod payment;
mod refund;

pub use booking::{Booking, CancellationReason, PaymentMode, ReservationStatus, Settlement};
pub use decisions::{Notice, RefundRefusal, Settled};
pub use partner_credit::{CreditLimit, CreditRefusal, DefaultCredit, NewPartnerPayment, PartnerPayment};
pub use partner_sale::{PartnerSale, PartnerTerms};
pub use payment::{NewPayment, Payment, Status, StatusFilter};
pub use refund::{Refund, RefundReason, RefundRequest};
