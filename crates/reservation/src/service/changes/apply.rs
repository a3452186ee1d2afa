//! Applying changes. A partner who collects owes the difference: the payment service decides by its credit, as for a sale.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use staymesh_domain::{Money, PaymentId, ReservationId};
use staymesh_mesh::{Caller, Problem, Reason, auth::Role, telemetry};
use staymesh_store::audit::Origin;
use tonic::Status;
use uuid::Uuid;

use crate::{
    credit_refusal::CreditRefusal,
    error::ReservationError,
    events::{ChangeSoldByPartner, Terms},
    fault_points,
    lifecycle::Command,
    model::{PaymentMode, Reservation, Source},
    offer_token::OfferError,
    room_line::{RoomLine, RoomLinesSum},
    service::{BookingService, booking::require_rooms_of},
    store::{KnownRequest, Revision},
    writer::{Revised, RevisionCommand, RevisionOrder, RevisionOutcome},
};

impl BookingService {
    /// Applies a quoted change of a reservation of the caller, or holds what it adds until it is paid. Idempotent by request
    /// id, also after the quote has expired; a repeat after the credit of a partner refused the change is refused alike, and
    /// one after the change was given up otherwise like any outdated quote.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], a token that is invalid or expired, as [`crate::Writer::revise`], and
    /// `PARTNER_CREDIT_EXCEEDED`.
    pub(crate) async fn apply_change(
        &self,
        caller: &Caller,
        id: ReservationId,
        token: &str,
        request_id: Uuid,
        source: Option<Source>,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        let booking = self.get(caller, id).await?;
        let quoted = self.offers.verify_change(token)?;
        if quoted.reservation_id != id || quoted.caller != caller.subject {
            return Err(OfferError::Tampered.into());
        }
        let content_hash = hash(&[b"change", caller.subject.as_bytes(), id.as_uuid().as_bytes(), token.as_bytes()]);
        if let Err(expired) = quoted.require_unexpired(now) {
            // A repeat is answered, unless its change was given up; a change is not begun.
            return match self.store.change_of_request(id, request_id).await? {
                Some(first) if first.content_hash != content_hash => Err(ReservationError::RequestIdReused),
                Some(KnownRequest { refusal: Some(refusal), .. }) => Err(Problem::from(refusal).into()),
                Some(first) if !first.dropped => self.find(id).await,
                _ => Err(expired.into()),
            };
        }
        let command = RevisionCommand::Apply {
            change: quoted.change,
            base: quoted.revision,
            request_id,
            content_hash,
            expire_time: now + self.hold,
            limits: Box::new(self.unpaid.of_change(caller, source, &booking)),
        };
        let revised = self.revise(id, command, caller.subject.clone(), now).await?;
        self.change_decided(revised.reservation, request_id, now).await
    }

    /// Cancels rooms of a reservation of the caller by their positions; the whole reservation if no room would be left.
    /// Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], a violation of `rooms`, [`ReservationError::NotChangeable`], and as
    /// [`Self::cancel`].
    pub(crate) async fn cancel_rooms(
        &self,
        caller: &Caller,
        id: ReservationId,
        positions: BTreeSet<i32>,
        expected_refund: Option<Money>,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        let booking = self.get(caller, id).await?;
        require_rooms_of(&booking, &positions)?;
        let listed: Vec<String> = positions.iter().map(ToString::to_string).collect();
        let content_hash = hash(&[b"cancel_rooms", caller.subject.as_bytes(), listed.join(",").as_bytes()]);
        let command = RevisionCommand::CancelRooms { positions, content_hash, expected_refund };
        let mut changed = 0;
        loop {
            let revised = self.revise(id, command.clone(), caller.subject.clone(), now).await?;
            if revised.outcome != RevisionOutcome::CancelsAll {
                return Ok(revised.reservation);
            }
            // Its rooms are no others than those that were to be cancelled, or it is decided anew.
            let all = Command::CancelRevision { revision: revised.reservation.revision, refund: expected_refund };
            match self.change(id, all, now).await {
                Err(ReservationError::RevisionMismatch { .. }) if changed < MOST_CHANGES => changed += 1,
                cancelled => return Ok(cancelled?.reservation),
            }
        }
    }

    /// Applies the payment of a change's difference. Idempotent by payment. Whether the payment must be refunded, because
    /// the change was given up.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::AmountMismatch`], and when the database fails.
    pub(crate) async fn confirm_change(
        &self,
        id: ReservationId,
        revision: i32,
        (payment_id, amount): (PaymentId, Money),
        now: Timestamp,
    ) -> Result<(Reservation, bool), ReservationError> {
        let command = RevisionCommand::Confirm { revision, payment: Some((payment_id, amount)) };
        let revised = self.revise(id, command, PAYMENT.to_owned(), now).await?;
        let refund_required = revised.outcome == RevisionOutcome::RefundPayment;
        tracing::info!(reservation_id = %id, revision, refund_required, "payment of a change applied");
        Ok((revised.reservation, refund_required))
    }

    /// Gives up a pending change, because its payment was refused for good. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], and when the database fails.
    pub(crate) async fn drop_change(
        &self,
        id: ReservationId,
        revision: i32,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        let command = RevisionCommand::Drop { revision };
        Ok(self.revise(id, command, PAYMENT.to_owned(), now).await?.reservation)
    }

    /// The reservation after the decision on its pending change, if a partner collects: the answer to the request of that
    /// change, whoever had it decided. While the payment service is unavailable the change waits, and the relay completes it.
    ///
    /// # Errors
    /// `PARTNER_CREDIT_EXCEEDED` if the change of this request is refused; [`ReservationError::RevisionMismatch`] if it was
    /// given up meanwhile; and when the database fails.
    async fn change_decided(
        &self,
        booking: Reservation,
        request_id: Uuid,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        let Some(sale) = undecided(&booking)? else { return Ok(booking) };
        if let Err(status) = self.decide_change(sale, now).await {
            tracing::warn!(reservation_id = %booking.id, rpc.code = ?status.code(), "change of a partner not decided yet");
            return Ok(booking);
        }
        let after = self.find(booking.id).await?;
        match self.store.change_of_request(booking.id, request_id).await? {
            Some(KnownRequest { refusal: Some(refusal), .. }) => Err(Problem::from(refusal).into()),
            Some(KnownRequest { dropped: true, .. }) => {
                Err(ReservationError::RevisionMismatch { base: booking.revision, current: after.revision })
            }
            _ => Ok(after),
        }
    }

    /// Has the payment service decide a change of a partner who collects, and applies its decision. Idempotent; a change
    /// that does not wait any more is not asked for.
    ///
    /// # Errors
    /// The status of the call or of the change, which says whether a retry can help.
    pub(crate) async fn decide_change(&self, sale: ChangeSoldByPartner, now: Timestamp) -> Result<(), Status> {
        let (id, revision) = (sale.reservation_id, sale.revision);
        let booking = self.find(id).await?;
        if booking.pending.as_ref().is_none_or(|pending| pending.revision != revision) {
            return Ok(());
        }
        let command = match fault_points::CHANGE_SALE_PUBLISHED.around(self.payments.amend_partner_sale(sale)).await {
            Ok(()) => RevisionCommand::Confirm { revision, payment: None },
            // The end of the change was recorded already: nothing is owed for it.
            Err(status) if Problem::reason_of(&status) == Some(Reason::ChangeNotPending) => {
                RevisionCommand::Drop { revision }
            }
            Err(status) if Problem::reason_of(&status) == Some(Reason::PartnerCreditExceeded) => {
                tracing::info!(reservation_id = %id, revision, "change of a partner refused");
                let refusal = CreditRefusal::new(&Problem::from_dependency("payment", &status));
                RevisionCommand::Refuse { revision, refusal }
            }
            Err(status) => return Err(status),
        };
        self.revise(id, command, PAYMENT.to_owned(), now).await?;
        Ok(())
    }

    /// Up to `limit` revisions of a reservation after this one, in order. The caller may see the reservation.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn revisions(
        &self,
        id: ReservationId,
        after: i32,
        limit: i64,
    ) -> Result<Vec<Revision>, ReservationError> {
        self.store.revisions(id, after, limit).await
    }

    pub(in crate::service) async fn revise(
        &self,
        id: ReservationId,
        command: RevisionCommand,
        actor: String,
        now: Timestamp,
    ) -> Result<Revised, ReservationError> {
        // Payment results are in the revisions and in the ledger; they need no audit record.
        let origin = match command {
            RevisionCommand::Apply { .. }
            | RevisionCommand::CancelRooms { .. }
            | RevisionCommand::DepartEarly { .. } => Origin::current(),
            RevisionCommand::Confirm { .. } | RevisionCommand::Drop { .. } | RevisionCommand::Refuse { .. } => None,
        };
        let order = RevisionOrder { id, command, now, actor, trace_parent: telemetry::trace_parent(), origin };
        let revised = self.writer.revise(order).await?;
        if revised.outcome == RevisionOutcome::Changed {
            self.wake.wake();
        }
        Ok(revised)
    }
}

/// How often a cancellation of rooms is decided anew, because the reservation was changed meanwhile.
const MOST_CHANGES: i32 = 3;

/// The actor of what the payment service decides.
const PAYMENT: &str = "service:payment";

/// The pending change of a partner who collects; `None` without one.
pub(super) fn undecided(booking: &Reservation) -> Result<Option<ChangeSoldByPartner>, ReservationError> {
    let Some(pending) = &booking.pending else { return Ok(None) };
    if booking.payment_mode == PaymentMode::GuestPays {
        return Ok(None);
    }
    let after: Vec<RoomLine> =
        pending.change.applied_to(&booking.placed())?.into_iter().map(|room| room.line).collect();
    let RoomLinesSum { stay, quote } = RoomLine::sum(&after)?;
    let retained = booking.retained.checked_add(pending.change.penalty)?;
    let terms = Terms::after(booking, &quote, retained, stay)?;
    Ok(terms.map(|terms| ChangeSoldByPartner { reservation_id: booking.id, revision: pending.revision, terms }))
}

/// Whether the caller may reprice a whole reservation.
pub(crate) const fn may_reprice(caller: &Caller) -> bool {
    matches!(caller.role, Role::Staff | Role::Admin)
}

/// SHA-256 of the parts of a request, each with its length.
pub(in crate::service) fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        // The length distinguishes ("ab", "c") from ("a", "bc").
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
