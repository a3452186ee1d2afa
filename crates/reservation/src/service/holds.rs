//! Holds: how long one lasts, and committing, releasing and extending it.

use jiff::{SignedDuration, Timestamp};
use staymesh_domain::ReservationId;
use staymesh_mesh::{Caller, Problem, auth::Role};

use super::{BookingRequest, BookingService, CheckResult};
use crate::{
    error::ReservationError,
    lifecycle::{Command, require_payable},
    model::{HoldLimits, PaymentMode, Reservation},
    room_line::RoomLinesSum,
};

/// Longest offer token in the metadata of an error, in bytes: details of errors are headers, which are limited. That of a
/// booking of a few rooms is shorter.
const MAX_TOKEN_IN_METADATA: usize = 4_096;

impl BookingService {
    /// How long the rooms of a booking are held unpaid.
    ///
    /// # Errors
    /// [`ReservationError::LongHoldsNotAgreed`] if the caller asks for a time and has no agreement on it.
    pub(super) fn hold_of(
        &self,
        caller: &Caller,
        request: &BookingRequest,
    ) -> Result<SignedDuration, ReservationError> {
        match request.hold {
            None => Ok(SignedDuration::try_from(self.hold).map_err(|error| Problem::internal(&error))?),
            Some(_) if self.long_holds.quota(&caller.subject).is_none() => Err(ReservationError::LongHoldsNotAgreed),
            Some(hold) => Ok(hold),
        }
    }

    /// The limits of unpaid holds that a booking is subject to. If it asks for a time, the partner's agreement limits all that
    /// the partner holds unpaid with it.
    pub(super) fn limits_of(&self, caller: &Caller, request: &BookingRequest) -> HoldLimits {
        let limits = self.unpaid.of(caller, request.source.clone(), request.payment_mode);
        let quota = request.hold.and_then(|_| self.long_holds.quota(&caller.subject));
        let account = limits.account.into_iter().chain(quota).min();
        HoldLimits { account, ..limits }
    }

    /// Commits a hold of the caller in a payment mode. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::PartnersOnly`], [`ReservationError::IllegalTransition`],
    /// `PARTNER_CREDIT_EXCEEDED`, and `HOLD_EXPIRED` with a check of the rooms in its metadata.
    pub(crate) async fn resume(
        &self,
        caller: &Caller,
        id: ReservationId,
        mode: PaymentMode,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        if mode == PaymentMode::PartnerCollects && caller.role != Role::Partner {
            return Err(ReservationError::PartnersOnly);
        }
        let booking = self.get(caller, id).await?;
        let resumed = match mode {
            PaymentMode::GuestPays => require_payable(&booking, now).map(|()| booking.clone()),
            PaymentMode::PartnerCollects => {
                self.change(id, Command::Collect, now).await.map(|applied| applied.reservation)
            }
        };
        match resumed {
            Ok(resumed) => {
                let decided = self.decided(resumed, now).await;
                if mode == PaymentMode::PartnerCollects {
                    // After the decision, which the relay then only confirms.
                    self.wake.wake();
                }
                decided
            }
            Err(ReservationError::HoldExpired) => Err(self.expired(&booking, now).await.into()),
            Err(error) => Err(error),
        }
    }

    /// Releases a hold of the caller. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], and [`ReservationError::IllegalTransition`] if it was paid.
    pub(crate) async fn release(
        &self,
        caller: &Caller,
        id: ReservationId,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        Ok(self.change(id, Command::Release, now).await?.reservation)
    }

    /// Extends a hold of the caller, once. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::HoldExpired`], [`ReservationError::SoldOut`], and
    /// [`ReservationError::IllegalTransition`] if it is no hold any more.
    pub(crate) async fn extend(
        &self,
        caller: &Caller,
        id: ReservationId,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        let by = SignedDuration::try_from(self.hold).map_err(|error| Problem::internal(&error))?;
        Ok(self.change(id, Command::Extend(by), now).await?.reservation)
    }

    /// `HOLD_EXPIRED`, with a check of the rooms: an order form for a new reservation id if they are left.
    async fn expired(&self, booking: &Reservation, now: Timestamp) -> Problem {
        let problem = Problem::from(ReservationError::HoldExpired);
        let sum = RoomLinesSum { stay: booking.stay, quote: booking.quote.clone() };
        let id = ReservationId::generate(booking.id.hotel_id(), now);
        match self.check_lines((id, &booking.owner), &booking.lines, &sum, now).await {
            Ok(checked) => described(problem, checked),
            // The check is advice.
            Err(error) => {
                tracing::warn!(reservation_id = %booking.id, error.cause = %error, "an expired hold cannot be checked");
                problem
            }
        }
    }
}

fn described(problem: Problem, checked: CheckResult) -> Problem {
    match checked {
        CheckResult::Available(form, changed) => {
            let total = form.sum.quote.total;
            let problem = problem
                .with("check", if changed.is_empty() { "UNCHANGED" } else { "CHANGED" })
                .with("reservation_id", form.offer.reservation_id)
                .with("total_amount", total.amount())
                .with("total_currency", total.currency().code());
            if form.token.len() > MAX_TOKEN_IN_METADATA {
                return problem;
            }
            problem.with("offer_token", form.token)
        }
        CheckResult::Restricted(error) => {
            problem.with("check", "RESTRICTED").with("check_reason", Problem::from(error).reason().as_str())
        }
        CheckResult::SoldOut(error, _) => {
            let problem = match &error {
                ReservationError::SoldOut { stay_date: Some(date), rooms_left: Some(left), .. } => {
                    problem.with("stay_date", date).with("rooms_left", left)
                }
                _ => problem,
            };
            problem.with("check", "SOLD_OUT").with("check_reason", Problem::from(error).reason().as_str())
        }
        CheckResult::Invalid(reason) => problem.with("check", "INVALID").with("check_reason", reason.as_str()),
    }
}

#[cfg(test)]
mod tests;
