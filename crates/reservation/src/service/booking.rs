//! Creating, reading and changing reservations.

mod content_hash;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use staymesh_domain::{FieldError, Money, ReservationId};
use staymesh_mesh::{Caller, Problem, auth::Role, telemetry};
use staymesh_store::audit::Origin;

use self::content_hash::content_hash;
use super::{BookingService, owners::booking_owner, room_guests::one_for_each};
use crate::{
    error::ReservationError,
    lifecycle::{CancelQuote, Command, Waiver, require_late_arrival_over},
    model::{Guest, NewReservation, PaymentMode, Reservation, Source, Status},
    offer_token::{Offer, OfferError},
    room_guest::RoomGuest,
    room_line::{RoomLine, RoomLinesSum},
    store::{ChangeHorizon, ChangePosition, ChangeScope, ListFilter, ListPosition},
    writer::{Applied, ChangeOrder, Created, pick_up},
};

/// A request to create a reservation.
pub(crate) struct BookingRequest {
    pub(crate) reservation_id: ReservationId,
    pub(crate) offer_token: String,
    pub(crate) guest: Guest,
    pub(crate) payment_mode: PaymentMode,
    /// The caller's own reference, 3 to 64 printable characters.
    pub(crate) client_reference: Option<String>,
    /// How long the rooms are held, up to a day; `None` for the default.
    pub(crate) hold: Option<SignedDuration>,
    /// Who sleeps in each room; empty if nothing is said, else one for each.
    pub(crate) room_guests: Vec<Option<RoomGuest>>,
    /// Where the request comes from; `None` when it did not come through the edge.
    pub(crate) source: Option<Source>,
}

impl BookingService {
    /// Creates a reservation. Idempotent by its id: a repeat yields the same reservation, even after the offer expired. If a
    /// partner collects, its credit decides whether the reservation stands; a repeat also completes a decision that is
    /// missing.
    ///
    /// # Errors
    /// An offer that is invalid or expired, as [`crate::Writer::book`] or, of a group block, [`pick_up`], and
    /// `PARTNER_CREDIT_EXCEEDED`.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        request: BookingRequest,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        if request.payment_mode == PaymentMode::PartnerCollects && caller.role != Role::Partner {
            return Err(ReservationError::PartnersOnly);
        }
        let partner_collects = request.payment_mode == PaymentMode::PartnerCollects;
        let offer = self.offers.verify(&request.offer_token)?;
        let owner = booking_owner(caller, offer.reservation_id.hotel_id());
        if offer.reservation_id != request.reservation_id || owner.as_ref() != Some(&offer.owner) {
            return Err(OfferError::Tampered.into());
        }
        let (unexpired, group_block) = (offer.require_unexpired(now), offer.group_block);
        let new = self.new_reservation(caller, offer, request, now)?;
        if let Err(expired) = unexpired {
            return self.decided(self.known_or(&new, expired.into()).await?, now).await;
        }
        let created = match group_block {
            Some(block) => {
                // The deadline of the request bounds the wait.
                let turn = self.pick_ups.acquire().await.map_err(|error| Problem::internal(&error))?;
                let created = pick_up(&self.store, block, &new, now).await?;
                drop(turn);
                created
            }
            None => self.writer.book(new).await?,
        };
        let reservation = match created {
            Created::New(reservation) => {
                tracing::info!(reservation_id = %reservation.id, status = reservation.status.as_str(), "reservation created");
                reservation
            }
            Created::Repeat(reservation) => reservation,
        };
        let reservation = self.decided(reservation, now).await;
        if partner_collects {
            // After the decision, which the relay then only confirms.
            self.wake.wake();
        }
        reservation
    }

    /// The reservation that an earlier request with the same id and content created; `error` when there is none.
    async fn known_or(&self, new: &NewReservation, error: ReservationError) -> Result<Reservation, ReservationError> {
        match self.store.get(new.id).await? {
            Some(known) if known.content_hash == new.content_hash => Ok(known),
            Some(_) => Err(ReservationError::IdReused),
            None => Err(error),
        }
    }

    fn new_reservation(
        &self,
        caller: &Caller,
        offer: Offer,
        request: BookingRequest,
        now: Timestamp,
    ) -> Result<NewReservation, ReservationError> {
        // The token is signed, but a leaked key must not get an impossible stay into the database.
        let sum = RoomLine::sum(&offer.lines).map_err(|_| OfferError::Tampered)?;
        let content_hash = content_hash(&offer, &sum, &request).map_err(|error| Problem::internal(&error))?;
        let (hold, limits) = (self.hold_of(caller, &request)?, self.limits_of(caller, &request));
        let room_guests = match request.room_guests {
            guests if guests.is_empty() => vec![None; offer.lines.len()],
            guests => one_for_each(&offer.lines, guests)?,
        };
        let RoomLinesSum { stay, quote } = sum;
        // A chosen time ends at the latest when the guests can no longer check in.
        let hold_end = if request.hold.is_some() { (now + hold).min(quote.terms.cancel_before) } else { now + hold };
        Ok(NewReservation {
            id: offer.reservation_id,
            owner: offer.owner,
            lines: offer.lines,
            room_guests,
            stay,
            guest: request.guest,
            payment_mode: request.payment_mode,
            quote,
            content_hash,
            client_reference: request.client_reference,
            // Until the guest has paid, or the payment service has decided the partner's sale.
            hold_expire_time: Some(hold_end),
            limits: Box::new(limits),
            trace_parent: telemetry::trace_parent(),
            origin: Origin::current().map(Box::new),
        })
    }

    /// A reservation that the caller may see.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], also when the caller may not see it.
    pub(crate) async fn get(&self, caller: &Caller, id: ReservationId) -> Result<Reservation, ReservationError> {
        let reservation = self.find(id).await?;
        require_access(caller, &reservation)?;
        Ok(reservation)
    }

    /// A reservation, for other services: they authorize by its owner.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], and when the database fails.
    pub(crate) async fn find(&self, id: ReservationId) -> Result<Reservation, ReservationError> {
        self.store.get(id).await?.ok_or(ReservationError::NotFound)
    }

    /// Reservations after this position, the latest created first.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn list(
        &self,
        filter: &ListFilter,
        after: Option<ListPosition>,
        limit: i64,
    ) -> Result<Vec<Reservation>, ReservationError> {
        self.store.list(filter, after, limit).await
    }

    /// What can be read of the changes of reservations now.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn change_horizon(&self) -> Result<ChangeHorizon, ReservationError> {
        self.store.change_horizon().await
    }

    /// Up to `limit` reservations that changed after a position, each with the position of its latest change.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn changed_since(
        &self,
        scope: &ChangeScope,
        after: ChangePosition,
        horizon: ChangeHorizon,
        limit: i64,
    ) -> Result<Vec<(ChangePosition, Reservation)>, ReservationError> {
        self.store.changed_since(scope, after, horizon, limit).await
    }

    /// Cancels a reservation of the caller. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::StayHasBegun`], [`ReservationError::IllegalTransition`], and
    /// [`ReservationError::CancelTermsChanged`] if another refund is expected.
    pub(crate) async fn cancel(
        &self,
        caller: &Caller,
        id: ReservationId,
        expected_refund: Option<Money>,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        // The owner of a reservation never changes, so the check stays valid.
        self.get(caller, id).await?;
        let command = expected_refund.map_or(Command::Cancel, Command::CancelExpecting);
        Ok(self.change(id, command, now).await?.reservation)
    }

    /// Cancels a paid reservation of the caller's hotel and keeps less of it than its policy. Idempotent; a repeat is compared
    /// with the whole waiver.
    ///
    /// # Errors
    /// As [`Self::cancel`]; a violation of `waive.keep` if the policy keeps less or the reservation is not paid; and
    /// [`ReservationError::IllegalTransition`] if it was cancelled otherwise.
    pub(crate) async fn cancel_waiving(
        &self,
        caller: &Caller,
        id: ReservationId,
        waiver: Waiver,
        expected_refund: Option<Money>,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        let command = Command::CancelWaiving(waiver.clone(), expected_refund);
        let applied = self.change(id, command, now).await?;
        if !applied.wake && self.store.waiver(id).await?.as_ref() != Some(&waiver) {
            let from = applied.reservation.status;
            return Err(ReservationError::IllegalTransition { from, to: Status::Cancelled });
        }
        Ok(applied.reservation)
    }

    /// What cancelling these rooms of a reservation of the caller keeps and refunds at `now`; all of them, if none is named.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], a violation of `rooms`, and as [`CancelQuote::of`].
    pub(crate) async fn cancel_quote(
        &self,
        caller: &Caller,
        id: ReservationId,
        rooms: &BTreeSet<i32>,
        now: Timestamp,
    ) -> Result<CancelQuote, ReservationError> {
        let booking = self.get(caller, id).await?;
        if rooms.is_empty() {
            return CancelQuote::of(&booking, &booking.lines, now);
        }
        require_rooms_of(&booking, rooms)?;
        let cancelled = booking.placed_lines().filter(|(position, _)| rooms.contains(position));
        let cancelled: Vec<RoomLine> = cancelled.map(|(_, line)| line.clone()).collect();
        CancelQuote::of(&booking, &cancelled, now)
    }

    /// Records a no-show. Only hotel staff may call this. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::NotEligibleForNoShow`], and [`ReservationError::NoShowOutOfTime`],
    /// also until the day ends until which the guests said that they may arrive.
    pub(crate) async fn mark_no_show(
        &self,
        caller: &Caller,
        id: ReservationId,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        let booking = self.get(caller, id).await?;
        let time = self.hotels.hotel_time(id.hotel_id()).await?;
        require_late_arrival_over(&booking, &time, now)?;
        let day_ends = time.day_ends(time.today(now)?)?;
        let applied = self.changed(id, Command::MarkNoShow, now, Some(day_ends)).await?;
        // A repeat enqueues no event.
        if applied.wake {
            tracing::info!(reservation_id = %id, reported_by = caller.subject, "no-show recorded");
        }
        Ok(applied.reservation)
    }

    /// Takes the report of a no-show back, until the business day of the report ends at the hotel: the reservation is paid and
    /// has its rooms again. Only nights from the hotel's today on must have them left. Only hotel staff may call this. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::NoShowSettled`], [`ReservationError::SoldOut`], and
    /// [`ReservationError::IllegalTransition`] if it is no no-show.
    pub(crate) async fn undo_no_show(
        &self,
        caller: &Caller,
        id: ReservationId,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        let today = self.hotel_today(id.hotel_id(), now).await?;
        let booking = self.change(id, Command::UndoNoShow(today), now).await?.reservation;
        tracing::info!(reservation_id = %id, by = caller.subject, "no-show taken back");
        Ok(booking)
    }

    /// Applies a command of the payment service. Idempotent.
    ///
    /// # Errors
    /// [`ReservationError::NotFound`], [`ReservationError::AmountMismatch`].
    pub(crate) async fn on_payment(
        &self,
        id: ReservationId,
        command: Command,
        now: Timestamp,
    ) -> Result<Applied, ReservationError> {
        let applied = self.change(id, command, now).await?;
        tracing::info!(
            reservation_id = %id,
            status = applied.reservation.status.as_str(),
            refund_required = applied.refund_required,
            "payment command applied"
        );
        Ok(applied)
    }

    pub(super) async fn change(
        &self,
        id: ReservationId,
        command: Command,
        now: Timestamp,
    ) -> Result<Applied, ReservationError> {
        self.changed(id, command, now, None).await
    }

    async fn changed(
        &self,
        id: ReservationId,
        command: Command,
        now: Timestamp,
        day_ends: Option<Timestamp>,
    ) -> Result<Applied, ReservationError> {
        // Payment results are in the history of the reservation and in the ledger; they need no audit record.
        let origin = match command {
            Command::Cancel
            | Command::CancelExpecting(_)
            | Command::CancelRevision { .. }
            | Command::CancelWaiving(..)
            | Command::CancelByHotel(..)
            | Command::MarkNoShow
            | Command::UndoNoShow(_) => Origin::current(),
            _ => None,
        };
        let order = ChangeOrder { id, command, now, trace_parent: telemetry::trace_parent(), origin, day_ends };
        let applied = self.writer.change(order).await?;
        if applied.wake {
            self.wake.wake();
        }
        Ok(applied)
    }
}

/// The owner and the hotel that restrict a list: staff list one hotel, everyone else their own reservations.
///
/// # Errors
/// When staff name no hotel, or one they do not work for.
pub(crate) fn list_scope(caller: &Caller, hotel_id: Option<i32>) -> Result<(Option<String>, Option<i32>), Problem> {
    match caller.role {
        Role::Staff | Role::Admin => {
            let hotel = hotel_id.ok_or_else(|| Problem::field("hotel_id", "staff must name a hotel"))?;
            caller.require_hotel_field(hotel)?;
            Ok((None, Some(hotel)))
        }
        _ => Ok((Some(caller.subject.clone()), hotel_id)),
    }
}

/// Requires that these are positions of the reservation's rooms, also of dropped ones.
///
/// # Errors
/// A violation of `rooms`.
pub(super) fn require_rooms_of(booking: &Reservation, rooms: &BTreeSet<i32>) -> Result<(), ReservationError> {
    let dropped = booking.dropped.iter().map(|room| room.position);
    let known: BTreeSet<i32> = booking.positions.iter().copied().chain(dropped).collect();
    match rooms.difference(&known).next() {
        Some(unknown) => Err(FieldError::new("rooms", format!("{unknown} is no room of the reservation")).into()),
        None => Ok(()),
    }
}

/// A reservation that the caller may not see is reported as one that does not exist.
fn require_access(caller: &Caller, booking: &Reservation) -> Result<(), ReservationError> {
    let may = match caller.role {
        Role::Guest | Role::Partner => booking.owner == caller.subject,
        Role::Staff | Role::Admin => caller.works_for(booking.id.hotel_id()),
        Role::Service | Role::Unspecified => false,
    };
    if may { Ok(()) } else { Err(ReservationError::NotFound) }
}
