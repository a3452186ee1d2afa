//! What the messages of the provider and of the reservation service do to a payment. Pure: the service carries each
//! decision out in one transaction, and the model of the protocol (`crates/protocol-model`) explores them.

use staymesh_domain::{Money, MoneyError};

use super::{Payment, RefundReason, RefundRequest, Settlement, Status};

/// What the reservation service is told about a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Notice {
    /// It has been paid.
    Paid,
    /// It failed for good.
    Failed,
    /// Every requested refund has succeeded.
    Refunded,
}

impl Status {
    /// What the reservation service is told when the provider's report brings a payment into this status. An expired
    /// payment is not reported: the reservation's hold expires by itself.
    pub const fn notice(self) -> Option<Notice> {
        match self {
            Self::Paid => Some(Notice::Paid),
            Self::Failed => Some(Notice::Failed),
            Self::Pending | Self::Expired | Self::Refunding | Self::Refunded => None,
        }
    }
}

/// What the end of a reservation does to a payment that has money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// What it gives back in all, to be noted; `None` if that is no limit of later refunds.
    pub refund_due: Option<Money>,
    /// The refund to request; `None` if nothing is left to be given back, or its cancellation requested one before.
    pub refund: Option<RefundRequest>,
}

/// Why a refund is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundRefusal {
    /// It exceeds what is refundable, or nothing is.
    ExceedsPayment,
    /// It exceeds what the policy of the ended reservation gives back, or that is nothing.
    ExceedsPolicy,
}

impl Payment {
    /// What the end of its reservation does to this payment, which has money. `given` is the sum of its refunds without
    /// goodwill; `repeated` says whether its cancellation requested a refund before.
    ///
    /// # Errors
    /// If the amounts differ in currency or a difference is out of range.
    pub fn settle(&self, settlement: Settlement, given: Money, repeated: bool) -> Result<Settled, MoneyError> {
        let due = if settlement.refund.minor() > self.amount.minor() { self.amount } else { settlement.refund };
        let left = self.left_of(due, given)?;
        // A payment is cancelled once, so its id serves as the request id.
        let (reason, request_id) = (RefundReason::Cancellation, self.payment_id.as_uuid());
        let request = RefundRequest { reason, request_id, amount: Some(left), goodwill: false };
        Ok(Settled {
            refund_due: (!settlement.hold_expired).then_some(due),
            refund: (!repeated && left.minor() > 0).then_some(request),
        })
    }

    /// What is left of `due`, the amount that the end of its reservation gives back in all, after `given`, the sum of its
    /// refunds without goodwill: zero if they reach it, and at most what is refundable. Goodwill is given on top.
    ///
    /// # Errors
    /// If the amounts differ in currency or a difference is out of range.
    pub fn left_of(&self, due: Money, given: Money) -> Result<Money, MoneyError> {
        let left = due.checked_sub(given)?;
        let refundable = self.refundable()?;
        let left = if left.minor() > refundable.minor() { refundable } else { left };
        Ok(if left.is_negative() { Money::zero(due.currency()) } else { left })
    }

    /// The refund of all that is refundable, when the reservation service cannot use this payment. `None` if nothing is:
    /// this is a repeat, or it was refunded otherwise first.
    ///
    /// # Errors
    /// As [`Self::refundable`].
    pub fn send_back(&self) -> Result<Option<RefundRequest>, MoneyError> {
        let (reason, request_id) = (RefundReason::RoomsGone, self.payment_id.as_uuid());
        let request = RefundRequest { reason, request_id, amount: None, goodwill: false };
        Ok((self.refundable()?.minor() > 0).then_some(request))
    }

    /// The policy that limits a requested refund: what the end of the reservation gives back in all. `None` if it is
    /// limited by the payment alone.
    pub fn policy_of(&self, wanted: &RefundRequest) -> Option<Money> {
        self.refund_due.filter(|_| wanted.reason == RefundReason::Requested && !wanted.goodwill)
    }

    /// The amount of a new refund, of which `limit` is left: by [`Self::policy_of`], or else [`Self::refundable`].
    ///
    /// # Errors
    /// [`RefundRefusal`].
    pub fn refund_amount(&self, wanted: &RefundRequest, limit: Money) -> Result<Money, RefundRefusal> {
        let refundable = self.refundable().map_err(|_| RefundRefusal::ExceedsPayment)?;
        let amount = wanted.amount.unwrap_or(limit);
        if amount.minor() > refundable.minor() || refundable.minor() <= 0 {
            return Err(RefundRefusal::ExceedsPayment);
        }
        if amount.minor() > limit.minor() || amount.minor() <= 0 {
            return Err(RefundRefusal::ExceedsPolicy);
        }
        Ok(amount)
    }

    /// Whether its refunds are to be reported to the reservation service: all have succeeded, and the reservation has
    /// ended. While refunds are pending, a partial sum would look like the final one; while the reservation stands, a
    /// refund by an administrator does not cancel it.
    pub fn reports_refunds(&self) -> bool {
        self.status == Status::Refunded && self.reservation_ended
    }

    /// This payment after one more refund is requested: what the trigger `refund_add_up` makes of it.
    ///
    /// # Errors
    /// If the sum is out of range.
    pub fn with_refund(self, amount: Money) -> Result<Self, MoneyError> {
        Ok(Self { status: Status::Refunding, refund_requested: self.refund_requested.checked_add(amount)?, ..self })
    }

    /// This payment after a requested refund succeeds: what the trigger `refund_add_up` makes of it.
    ///
    /// # Errors
    /// If the sum is out of range.
    pub fn with_refund_succeeded(self, amount: Money) -> Result<Self, MoneyError> {
        let refunded = self.refunded.checked_add(amount)?;
        let status = if refunded == self.refund_requested { Status::Refunded } else { self.status };
        Ok(Self { status, refunded, ..self })
    }
}
