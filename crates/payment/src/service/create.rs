//! Creating a payment: opens the provider's checkout page for a reservation.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use staymesh_domain::{DateOutOfRange, HotelId, HotelTime, Money, PaymentId, ReservationId};
use staymesh_ledger::Split;
use staymesh_mesh::{Caller, Problem, Reason};
use staymesh_psp::{CheckoutOrder, CheckoutStatus, Psp, PspError};

use super::{Payments, checkout};
use crate::{
    error::PaymentError,
    fault_points,
    model::{BOOKING, Booking, CancellationReason, NewPayment, Payment, PaymentMode, ReservationStatus, Status},
    store::{payment_events, payments},
};

/// Shortest time for which a checkout page is opened.
const MIN_PAGE_TIME: Duration = Duration::from_secs(10);

impl<P: Psp> Payments<P> {
    /// Creates the payment of a revision of a reservation, or finds the open one, and returns it with its checkout page:
    /// of the booking itself, or of its pending change.
    ///
    /// Idempotent by reservation and revision: first the terms are saved, then the order, then the provider is called with the payment
    /// id as idempotency key. A retry after a crash or a lost response continues with the saved order. An empty
    /// `return_url` stands for the status page. A reservation has one open page at a time; one that is still open for
    /// another revision is closed first, because that revision is not waiting any more.
    ///
    /// # Errors
    /// - [`PaymentError::ReservationNotFound`]: no such reservation, or the caller neither created it nor works for its
    ///   hotel.
    /// - [`PaymentError::NotPayable`]: the reservation does not wait for a payment, or check-in has ended at the hotel.
    /// - [`PaymentError::ChangeNotPending`]: the change of that revision does not wait for a payment, or ends too soon.
    /// - [`PaymentError::HoldExpired`]: the hold has expired, or the hold or check-in ends too soon to pay.
    /// - [`PaymentError::PspUnavailable`]: the provider does not answer; retry.
    /// - [`PaymentError::Dependency`], [`PaymentError::Store`]: another service or the database failed.
    pub async fn create(
        &self,
        caller: &Caller,
        reservation_id: ReservationId,
        revision: i32,
        return_url: String,
    ) -> Result<Payment, PaymentError> {
        let booking = self.reservations.get(reservation_id).await?;
        let may = |booking: &Booking| booking.owner == caller.subject || caller.works_for(reservation_id.hotel_id());
        let booking = booking.filter(may).ok_or(PaymentError::ReservationNotFound)?;
        let sale = self.to_pay(&booking, reservation_id.hotel_id(), revision).await?;
        let new = self.new_payment(booking, reservation_id, &sale, return_url)?;
        let new = NewPayment { expire_time: sale.page_end(self.page_margin)?, ..new };
        fault_points::TERMS_SAVED.around(payment_events::save(&self.pool, &new)).await?;
        let payment = self.open_order(&new).await?;
        match payment.status {
            Status::Pending if payment.checkout_url.is_some() => Ok(payment),
            Status::Pending => self.open_page(payment).await,
            _ => Err(PaymentError::NotPayable("the payment of this reservation has been paid or refused")),
        }
    }

    /// The order of these terms, which is open unless its revision was paid or refused.
    async fn open_order(&self, new: &NewPayment) -> Result<Payment, PaymentError> {
        let open = || fault_points::ORDER_SAVED.around(payments::open(&self.pool, new));
        if let Some(payment) = open().await?.filter(|payment| payment.status != Status::Expired) {
            return Ok(payment);
        }
        for other in payments::of_reservation(&self.pool, new.reservation_id).await? {
            if other.status == Status::Pending && other.revision != new.revision {
                self.close(other).await?;
            }
        }
        // Another request may have opened a page meanwhile: the caller's retry finds it.
        open().await?.ok_or(PaymentError::PspUnavailable)
    }

    /// What is to be paid for a revision of a reservation: the booking itself, or its pending change.
    pub(super) async fn to_pay(
        &self,
        booking: &Booking,
        hotel_id: HotelId,
        revision: i32,
    ) -> Result<ToPay, PaymentError> {
        match revision {
            BOOKING => self.booking_to_pay(booking, hotel_id).await,
            _ => change_to_pay(booking, revision),
        }
    }

    /// What is to be paid for the booking itself.
    async fn booking_to_pay(&self, booking: &Booking, hotel_id: HotelId) -> Result<ToPay, PaymentError> {
        let now = Timestamp::now();
        let hold_end = payable(booking)?;
        // A payment after the end of check-in would have to be refunded.
        let end = match self.check_in_end(booking, hotel_id, hold_end).await? {
            Some(end) if end <= now => return Err(PaymentError::NotPayable("check-in has ended at the hotel")),
            Some(end) => end.min(hold_end),
            None => hold_end,
        };
        if end <= now {
            return Err(PaymentError::HoldExpired);
        }
        Ok(ToPay { revision: BOOKING, amount: booking.total, taxes: booking.taxes, start: booking.create_time, end })
    }

    /// A payment of what is to be paid, which expires when that does.
    pub(super) fn new_payment(
        &self,
        booking: Booking,
        reservation_id: ReservationId,
        sale: &ToPay,
        return_url: String,
    ) -> Result<NewPayment, PaymentError> {
        let ToPay { revision, amount, taxes, end, .. } = *sale;
        let split = Split::with_commission(amount, taxes, self.commission_basis_points)
            .ok_or_else(|| Problem::internal(&"the taxes of the reservation exceed its price"))?;
        let check_after = SignedDuration::try_from(self.check_after).map_err(|error| Problem::internal(&error))?;
        let next_check_time = Timestamp::now().checked_add(check_after).map_err(|error| Problem::internal(&error))?;
        Ok(NewPayment {
            payment_id: PaymentId::new(),
            reservation_id,
            revision,
            owner: booking.owner,
            amount,
            split,
            check_out: booking.check_out,
            return_url: if return_url.is_empty() { self.links.after_payment(reservation_id) } else { return_url },
            expire_time: end,
            next_check_time,
        })
    }

    /// When check-in ends at the hotel, with its business day; `None` if that is after `hold_end` at every hotel. The
    /// hotel's calendar is read only if it decides.
    async fn check_in_end(
        &self,
        booking: &Booking,
        hotel_id: HotelId,
        hold_end: Timestamp,
    ) -> Result<Option<Timestamp>, PaymentError> {
        let out_of_range = |error: DateOutOfRange| Problem::internal(&error);
        let (first, _) = HotelTime::day_ends_anywhere(booking.check_in).map_err(out_of_range)?;
        if hold_end <= first {
            return Ok(None);
        }
        match self.hotels.hotel_time(hotel_id).await {
            Ok(time) => Ok(Some(time.day_ends(booking.check_in).map_err(out_of_range)?)),
            Err(problem) if problem.reason() == Reason::HotelNotFound => {
                Err(PaymentError::NotPayable("the hotel was deleted and takes no guests"))
            }
            Err(problem) => Err(problem.into()),
        }
    }

    async fn open_page(&self, payment: Payment) -> Result<Payment, PaymentError> {
        let order = CheckoutOrder {
            payment_id: payment.payment_id,
            amount: payment.amount,
            description: format!("Reservation {}", payment.reservation_id),
            return_url: payment.return_url,
            expire_time: payment.expire_time,
        };
        let checkout = match fault_points::PAGE_OPENED.around(self.psp.create_checkout(order)).await {
            Err(PspError::ReturnUrl) => {
                self.close_refused(payment.payment_id).await?;
                return Err(PspError::ReturnUrl.into());
            }
            checkout => checkout?,
        };
        let save = payments::save_checkout(&self.pool, payment.payment_id, &checkout.session, &checkout.url);
        let saved = fault_points::PAGE_SAVED.around(save).await?;
        let saved = match (saved.status, checkout.status) {
            (Status::Pending, CheckoutStatus::Open) => return Ok(saved),
            (Status::Pending, CheckoutStatus::InReview) => {
                return self.apply_checkout(saved.payment_id, &checkout).await;
            }
            // An earlier attempt opened the checkout, and it has ended at the provider since.
            (Status::Pending, _) => self.apply_checkout(saved.payment_id, &checkout).await?,
            // The payment ended here while the provider was called: the URL has not been returned to any caller, so close
            // the page.
            _ => {
                if let Err(error) = self.psp.expire_checkout(checkout.session).await {
                    tracing::warn!(payment_id = %saved.payment_id, error.cause = %error, "cannot close an unused checkout page");
                }
                saved
            }
        };
        match saved.status {
            Status::Expired if saved.expire_time <= Timestamp::now() => Err(PaymentError::HoldExpired),
            _ => Err(PaymentError::NotPayable("the payment of this reservation has ended")),
        }
    }

    /// Closes a payment whose return URL the provider refused. The return URL of a payment never changes, so this one
    /// could never be paid; the next request opens another.
    async fn close_refused(&self, id: PaymentId) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        if let Some(payment) = payments::lock(&mut transaction, id).await?.filter(|open| open.psp_session.is_none()) {
            checkout::apply(&mut transaction, &payment, CheckoutStatus::Expired).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
}

/// What a payment is for.
pub(super) struct ToPay {
    /// 1 for the booking itself, otherwise the pending change.
    pub(super) revision: i32,
    /// What is due.
    pub(super) amount: Money,
    /// Taxes and fees contained in it.
    taxes: Money,
    /// From when on it can be paid.
    start: Timestamp,
    /// When it can no longer be paid.
    end: Timestamp,
}

impl ToPay {
    /// When a checkout page that is opened now closes.
    ///
    /// # Errors
    /// If it ends too soon to pay.
    fn page_end(&self, margin: Duration) -> Result<Timestamp, PaymentError> {
        page_end(self.start, self.end, Timestamp::now(), margin).ok_or(match self.revision {
            BOOKING => PaymentError::HoldExpired,
            _ => PaymentError::ChangeNotPending("the change expires before it could be paid; ask for it again"),
        })
    }
}

/// What is to be paid for the pending change of a reservation. Its taxes are the share that they have of the whole price,
/// rounded down to a minor unit.
fn change_to_pay(booking: &Booking, revision: i32) -> Result<ToPay, PaymentError> {
    if booking.payment_mode == PaymentMode::PartnerCollects {
        return Err(PaymentError::NotPayable("the partner collects the money for this reservation"));
    }
    let pending = booking.pending_change.filter(|change| {
        change.revision == revision && change.due.minor() > 0 && booking.status == ReservationStatus::Paid
    });
    let change = pending.ok_or(PaymentError::ChangeNotPending("this change does not wait for a payment"))?;
    let (start, end) = (change.create_time, change.expire_time);
    if end <= Timestamp::now() {
        return Err(PaymentError::ChangeNotPending("the change has expired; ask for it again"));
    }
    let (due, taxes, total) = (change.due, booking.taxes, booking.total);
    let share = i128::from(due.minor()) * i128::from(taxes.minor()) / i128::from(total.minor().max(1));
    let share = i64::try_from(share).map_err(|error| Problem::internal(&error))?;
    let taxes = Money::from_minor(share, due.currency()).map_err(|error| Problem::internal(&error))?;
    Ok(ToPay { revision, amount: due, taxes, start, end })
}

/// The end of the hold, if the reservation waits for a payment.
fn payable(booking: &Booking) -> Result<Timestamp, PaymentError> {
    if booking.cancellation == Some(CancellationReason::HoldExpired) {
        return Err(PaymentError::HoldExpired);
    }
    if booking.payment_mode == PaymentMode::PartnerCollects {
        return Err(PaymentError::NotPayable("the partner collects the money for this reservation"));
    }
    if booking.status != ReservationStatus::PendingPayment {
        return Err(PaymentError::NotPayable("the reservation does not wait for a payment"));
    }
    if booking.total.minor() <= 0 {
        return Err(PaymentError::NotPayable("there is nothing to be paid"));
    }
    // Without an end of the hold there is no end for the checkout page.
    booking.hold_expire_time.ok_or(PaymentError::NotPayable("the reservation holds no rooms"))
}

/// When a checkout page opened now closes: `margin` before the hold expires, so that a payment in the last second is
/// processed while the rooms are still held. `None` if less than [`MIN_PAGE_TIME`] would remain, or if the hold ends
/// before it starts. The margin and the shortest time are at most a tenth of the hold each.
fn page_end(hold_start: Timestamp, hold_end: Timestamp, now: Timestamp, margin: Duration) -> Option<Timestamp> {
    let tenth = Duration::try_from(hold_end.duration_since(hold_start)).ok()? / 10;
    let end = hold_end.checked_sub(margin.min(tenth)).ok()?;
    let earliest = now.checked_add(MIN_PAGE_TIME.min(tenth)).ok()?;
    // The provider calculates in whole seconds.
    (end.as_second() > earliest.as_second()).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn closes(hold: i64, passed: i64, margin: u64) -> Option<i64> {
        let start = NOW - SignedDuration::from_secs(passed);
        let end = page_end(start, start + SignedDuration::from_secs(hold), NOW, Duration::from_secs(margin));
        end.map(|end| end.duration_since(start).as_secs())
    }

    #[test]
    fn page_closes_before_hold_ends_and_needs_minimum_time() {
        assert_eq!(closes(900, 0, 60), Some(840));
        assert_eq!(closes(900, 829, 60), Some(840));
        assert_eq!(closes(900, 830, 60), None);
        assert_eq!(closes(900, 0, 0), Some(900));
        assert_eq!(closes(900, 890, 0), None);
        // Short holds, as in tests, remain payable.
        assert_eq!(closes(10, 0, 60), Some(9));
        assert_eq!(closes(10, 7, 60), Some(9));
        assert_eq!(closes(10, 8, 60), None);
        assert_eq!(closes(2, 0, 60), Some(1));
        assert_eq!(closes(900, 900, 60), None);
    }

    proptest! {
        #[test]
        fn page_end_is_after_now_and_within_hold(
            [start, end, now] in prop::array::uniform3(Timestamp::MIN.as_second()..=Timestamp::MAX.as_second()),
            margin in any::<Duration>(),
        ) {
            let [start, end, now] = [start, end, now].map(|second| Timestamp::from_second(second).unwrap());
            if let Some(page) = page_end(start, end, now, margin) {
                prop_assert!(now < page && page <= end);
            }
        }
    }
}
