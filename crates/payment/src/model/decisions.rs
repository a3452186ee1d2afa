//! What the messages of the provider and of the reservation service do to a payment. Pure: the service carries each
//! decision out in one transaction, and the model of the protocol (`crates/protocol-model`) explores them.

use staymesh_domain::{Money, MoneyError, PaymentId};

use super::{BOOKING, Payment, RefundReason, RefundRequest, Standing, Status, kept_back, newest_first};

/// A message to the reservation service about a payment.
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
    /// The message to the reservation service when the provider's report brings a payment into this status. An expired
    /// payment has none: the reservation's hold expires by itself.
    pub const fn notice(self) -> Option<Notice> {
        match self {
            Self::Paid => Some(Notice::Paid),
            Self::Failed => Some(Notice::Failed),
            Self::Pending | Self::Expired | Self::Refunding | Self::Refunded => None,
        }
    }
}

/// What the payments of a reservation give back at its end, newest first, and what the others leave of `due`, the refund
/// of the end in all: each payment that pays for it, its share and the rest.
///
/// # Errors
/// If the amounts differ in currency or a sum is out of range.
pub fn shares_of_end(standings: &[Standing], due: Money) -> Result<Vec<(&Standing, Money, Money)>, MoneyError> {
    let paying: Vec<&Standing> = standings.iter().filter(|standing| standing.pays()).collect();
    let refundable = paying.iter().map(|standing| standing.payment.refundable()).collect::<Result<Vec<_>, _>>()?;
    let shares = newest_first(kept_back(due, standings)?, &refundable)?;
    let given = paying.iter().zip(&shares).map(|(standing, share)| standing.counted.checked_add(*share));
    let given = given.collect::<Result<Vec<_>, _>>()?;
    let all = Money::sum(due.currency(), given.iter().copied())?;
    let rest = |given: Money| due.checked_sub(all.checked_sub(given)?);
    let of = paying.into_iter().zip(shares).zip(given);
    of.map(|((standing, share), given)| Ok((standing, share, rest(given)?))).collect()
}

/// What the change that made `revision` and gives back `refund` gets of each payment that pays for the reservation, newest
/// first: together all of it, or all that is refundable. The payment of a later change is none of them: that change may have
/// been given up, and then its payment goes back by itself.
///
/// # Errors
/// If the amounts differ in currency or a sum is out of range.
pub fn shares_of_change(
    standings: &[Standing],
    revision: i32,
    refund: Money,
) -> Result<Vec<(&Standing, Money)>, MoneyError> {
    let pays = |standing: &&Standing| standing.pays() && standing.payment.revision <= revision;
    let paying: Vec<&Standing> = standings.iter().filter(pays).collect();
    let refundable = paying.iter().map(|standing| standing.payment.refundable()).collect::<Result<Vec<_>, _>>()?;
    let shares = newest_first(refund, &refundable)?;
    Ok(paying.into_iter().zip(shares).collect())
}

/// What a payment may give back without goodwill: what is refundable, and if its reservation ended and gives back `due` in
/// all, at most what the payments leave of that.
///
/// # Errors
/// If the amounts differ in currency or a sum is out of range.
pub fn left_by_policy(payment: &Payment, standings: &[Standing], due: Option<Money>) -> Result<Money, MoneyError> {
    let refundable = payment.refundable()?;
    let left = due.map_or(Ok(refundable), |due| kept_back(due, standings))?;
    Ok(if left.minor() > refundable.minor() { refundable } else { left })
}

/// What is reported to the reservation service when the refunds of a payment have succeeded: the sum of the refunds of all
/// payments that pay for the reservation, under the id of the one that paid the booking itself. `None` if another refund
/// was requested meanwhile, whose own event reports the new sum, and for a refused payment of a change, which says nothing
/// about the reservation.
///
/// # Errors
/// If the amounts differ in currency or a sum is out of range.
pub fn refunds_to_report(standings: &[Standing], own: &Standing) -> Result<Option<(PaymentId, Money)>, MoneyError> {
    let payment = &own.payment;
    // A refused payment of the booking counts alone: the reservation has no other, or did not accept it beside one.
    let reported: Vec<&Payment> = match (own.refused, payment.revision) {
        (true, BOOKING) => vec![payment],
        (true, _) => return Ok(None),
        (false, _) => standings.iter().filter(|one| one.pays()).map(|one| &one.payment).collect(),
    };
    if reported.iter().any(|payment| payment.status == Status::Refunding) {
        return Ok(None);
    }
    let amount = Money::sum(payment.amount.currency(), reported.iter().map(|payment| payment.refunded))?;
    let booking = reported.iter().rev().find(|payment| payment.revision == BOOKING);
    let id = booking.map_or(payment.payment_id, |booking| booking.payment_id);
    Ok((amount.minor() > 0).then_some((id, amount)))
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

    /// The amount of a new refund, of which `limit` is left.
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
