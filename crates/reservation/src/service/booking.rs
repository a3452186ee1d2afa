//! Booking, and what may become of a booking.

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use staymesh_domain::{GuestCount, ReservationId, RoomCount, RoomTypeId, StayDates};
use staymesh_mesh::{Caller, Problem, auth::Role, telemetry};
use uuid::Uuid;

use super::Service;
use crate::{
    error::ReservationError,
    lifecycle::Command,
    model::{Guest, NewReservation, PaymentMode, Reservation},
    offer_token::{Offer, OfferError},
    store::{Applied, ChangeOrder, Created, ListFilter},
};

/// A request to book.
pub(crate) struct Order {
    pub(crate) reservation_id: ReservationId,
    pub(crate) offer_token: String,
    pub(crate) guest: Guest,
    pub(crate) payment_mode: PaymentMode,
}

impl Service {
    /// Books. The same order again gets the same booking, also after its offer has expired.
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        order: Order,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        if order.payment_mode == PaymentMode::PartnerCollects && caller.role != Role::Partner {
            return Err(ReservationError::PartnersOnly);
        }
        let offer = self.offers.verify(&order.offer_token)?;
        if offer.reservation_id != order.reservation_id || offer.owner != caller.subject {
            return Err(OfferError::Tampered.into());
        }
        let unexpired = offer.require_unexpired(now);
        let new = self.new_reservation(offer, order, now)?;
        if let Err(expired) = unexpired {
            return self.known_or(&new, expired.into()).await;
        }
        // Kept until the answer is there.
        let _let_through = match self.unpaid.admit(&self.store, caller.role, &new, now).await {
            Ok(let_through) => let_through,
            Err(refused @ ReservationError::TooManyUnpaidRooms { .. }) => return self.known_or(&new, refused).await,
            Err(error) => return Err(error),
        };
        match self.bookings.book(new).await? {
            Created::New(reservation) => {
                if reservation.payment_mode == PaymentMode::PartnerCollects {
                    self.wake.wake();
                }
                tracing::info!(reservation_id = %reservation.id, status = reservation.status.as_str(), "booked");
                Ok(reservation)
            }
            Created::Repeat(reservation) => Ok(reservation),
        }
    }

    /// What became of the same order before; what is said of a new one when there is none.
    async fn known_or(&self, new: &NewReservation, error: ReservationError) -> Result<Reservation, ReservationError> {
        match self.store.get(new.id).await? {
            Some(known) if known.content_hash == new.content_hash => Ok(known),
            Some(_) => Err(ReservationError::IdReused),
            None => Err(error),
        }
    }

    fn new_reservation(&self, offer: Offer, order: Order, now: Timestamp) -> Result<NewReservation, ReservationError> {
        // We signed it, so its parts are good; a key that leaked must still not get bad values into the database.
        let tampered = |()| ReservationError::from(OfferError::Tampered);
        let content_hash = content_hash(&offer, &order);
        let hold = match order.payment_mode {
            PaymentMode::GuestPays => Some(now + self.hold),
            PaymentMode::PartnerCollects => None,
        };
        Ok(NewReservation {
            id: offer.reservation_id,
            owner: offer.owner,
            room_type_id: RoomTypeId::try_from(offer.room_type_id).map_err(|_| tampered(()))?,
            stay: StayDates::new(offer.check_in, offer.check_out).map_err(|_| tampered(()))?,
            rooms: RoomCount::try_from(offer.rooms).map_err(|_| tampered(()))?,
            guests: GuestCount::try_from(offer.guests).map_err(|_| tampered(()))?,
            guest: order.guest,
            payment_mode: order.payment_mode,
            quote: offer.quote,
            content_hash,
            hold_expire_time: hold,
            trace_parent: telemetry::trace_parent(),
        })
    }

    /// A booking that the caller may see.
    pub(crate) async fn get(&self, caller: &Caller, id: ReservationId) -> Result<Reservation, ReservationError> {
        let reservation = self.store.get(id).await?.ok_or(ReservationError::NotFound)?;
        require_access(caller, &reservation)?;
        Ok(reservation)
    }

    /// Bookings, newest first.
    pub(crate) async fn list(
        &self,
        filter: &ListFilter,
        before: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Reservation>, ReservationError> {
        self.store.list(filter, before, limit).await
    }

    /// Cancels a booking that the caller may cancel.
    pub(crate) async fn cancel(
        &self,
        caller: &Caller,
        id: ReservationId,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        // Whose a booking is never changes, so this holds for as long as it takes.
        self.get(caller, id).await?;
        Ok(self.change(id, Command::Cancel, now).await?.reservation)
    }

    /// Notes that the guests of a booking that the caller may see never came. Only the house may call this.
    pub(crate) async fn mark_no_show(
        &self,
        caller: &Caller,
        id: ReservationId,
        now: Timestamp,
    ) -> Result<Reservation, ReservationError> {
        self.get(caller, id).await?;
        let applied = self.change(id, Command::MarkNoShow, now).await?;
        // Only news wakes the relay: a repeat is none.
        if applied.wake {
            tracing::info!(reservation_id = %id, reported_by = caller.subject, "nobody came");
        }
        Ok(applied.reservation)
    }

    /// What the payment service tells of a booking.
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
            send_money_back = applied.send_money_back,
            "payment news"
        );
        Ok(applied)
    }

    async fn change(&self, id: ReservationId, command: Command, now: Timestamp) -> Result<Applied, ReservationError> {
        let order = ChangeOrder { id, command, now, trace_parent: telemetry::trace_parent() };
        let applied = self.bookings.change(order).await?;
        if applied.wake {
            self.wake.wake();
        }
        Ok(applied)
    }
}

/// Whose bookings a caller may list, from the hotel that was asked for.
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

/// Somebody else's booking looks like one that does not exist.
fn require_access(caller: &Caller, booking: &Reservation) -> Result<(), ReservationError> {
    let may = match caller.role {
        Role::Guest | Role::Partner => booking.owner == caller.subject,
        Role::Staff | Role::Admin => caller.works_for(booking.id.hotel_id()),
        Role::Service => true,
        Role::Unspecified => false,
    };
    if may { Ok(()) } else { Err(ReservationError::NotFound) }
}

/// SHA-256 of what was asked for. The token itself is not part of it, for a price can be signed twice; what it says is.
fn content_hash(offer: &Offer, order: &Order) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(offer.owner.as_bytes());
    add(&offer.room_type_id.to_be_bytes());
    add(offer.check_in.to_string().as_bytes());
    add(offer.check_out.to_string().as_bytes());
    add(&offer.rooms.to_be_bytes());
    add(&offer.guests.to_be_bytes());
    add(offer.quote.currency.as_bytes());
    add(&offer.quote.total_minor.to_be_bytes());
    add(order.guest.full_name.as_bytes());
    add(order.guest.email.as_bytes());
    add(order.payment_mode.as_str().as_bytes());
    hash.finalize().into()
}
