//! `CreateReservation` with one transaction per booking. Everything around the transaction is what the product does:
//! the caller, the signature of the offer, the content hash, the price in the response.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use staymesh_api::reservation::v1::{CreateReservationRequest, Reservation, ReservationStatus};
use staymesh_load::booking;
use staymesh_mesh::{Caller, Problem, proto_types};
use staymesh_reservation::{ReservationError, offer_token::OfferSigner};
use tonic::{Request, Response, Status};

use super::{create_only::Create, refusal::Refusal, row::NewRow};

/// Attempts per booking, before the client is asked to retry.
const ATTEMPTS: u32 = 20;
/// Upper bound of the pause after the first attempt; it doubles with each attempt.
const FIRST_PAUSE_MICROS: u64 = 500;
/// The largest upper bound of a pause.
const LONGEST_PAUSE_MICROS: u64 = 50_000;

/// A strategy with one transaction per booking.
#[tonic::async_trait]
pub(crate) trait Transaction: Send + Sync + 'static {
    /// One attempt. Returns when the row was created, or `None` if a concurrent transaction was faster and the attempt
    /// must be repeated.
    async fn attempt(&self, pool: &PgPool, new: &NewRow) -> Result<Option<Timestamp>, Refusal>;
}

/// Books with one transaction per request.
pub(crate) struct Direct<T> {
    pub(crate) pool: PgPool,
    pub(crate) offers: OfferSigner,
    /// How long an unpaid reservation holds its rooms.
    pub(crate) hold: Duration,
    pub(crate) strategy: T,
}

#[tonic::async_trait]
impl<T: Transaction> Create for Direct<T> {
    async fn create(&self, request: Request<CreateReservationRequest>) -> Result<Response<Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let new = self.new_row(&caller, request.into_inner())?;
        let create_time = self.book(&new).await.map_err(Problem::from)?;
        let room = new.room();
        let price = booking::price(room.room_type_id.get(), room.stay);
        let price = price.map_err(|error| Status::internal(error.to_string()))?;
        Ok(Response::new(Reservation { price: Some(price), ..response(new, create_time) }))
    }
}

impl<T: Transaction> Direct<T> {
    fn new_row(&self, caller: &Caller, message: CreateReservationRequest) -> Result<NewRow, Status> {
        let now = Timestamp::now();
        let guest = message.primary_guest.ok_or_else(|| Status::invalid_argument("primary_guest is required"))?;
        let offer = self.offers.verify(&message.offer_token).map_err(ReservationError::from)?;
        offer.require_unexpired(now).map_err(ReservationError::from)?;
        if offer.reservation_id.to_string() != message.reservation_id || offer.owner != caller.subject {
            return Err(Status::invalid_argument("the offer was made for another reservation or caller"));
        }
        let mut hash = Sha256::new();
        for part in [&offer.owner, &message.reservation_id, &guest.full_name, &guest.email] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let content_hash = hash.finalize().into();
        Ok(NewRow { offer, guest, content_hash, hold_expire_time: now + self.hold })
    }

    async fn book(&self, new: &NewRow) -> Result<Timestamp, Refusal> {
        for attempt in 0..ATTEMPTS {
            match self.strategy.attempt(&self.pool, new).await {
                Ok(Some(create_time)) => return Ok(create_time),
                Ok(None) => {}
                Err(Refusal::Store(error)) if error.is_conflict() => {}
                Err(refusal) => return Err(refusal),
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(Refusal::Overloaded)
    }
}

fn response(new: NewRow, create_time: Timestamp) -> Reservation {
    let (stay, offer) = (new.room().stay, &new.offer);
    Reservation {
        reservation_id: offer.reservation_id.to_string(),
        hotel_id: offer.reservation_id.hotel_id().get(),
        check_in: stay.check_in().to_string(),
        check_out: stay.check_out().to_string(),
        status: ReservationStatus::PendingPayment.into(),
        primary_guest: Some(new.guest),
        hold_expire_time: Some(proto_types::timestamp(new.hold_expire_time)),
        create_time: Some(proto_types::timestamp(create_time)),
        update_time: Some(proto_types::timestamp(create_time)),
        ..Reservation::default()
    }
}

/// Exponential backoff with full jitter: a random pause below a bound that doubles.
fn pause(attempt: u32) -> Duration {
    let bound = (FIRST_PAUSE_MICROS << attempt.min(10)).min(LONGEST_PAUSE_MICROS);
    Duration::from_micros(rand::random_range(0..=bound))
}
