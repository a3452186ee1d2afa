//! Five ways to make a booking behind the same method. They differ in how rooms are taken, and in nothing else: each
//! writes the same rows into the same tables, under the same constraints and triggers.

mod constraint;
mod floor;
mod optimistic;
mod pessimistic;
mod row;

use sqlx::PgPool;
use staymesh_reservation::{
    Applied, Bookings, ChangeOrder, Created, NewReservation, ReservationError, apply, store::Store,
};

pub(crate) use constraint::Constraint;
pub(crate) use floor::Floor;
pub(crate) use optimistic::Optimistic;
pub(crate) use pessimistic::Pessimistic;

/// A way to make a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Strategy {
    /// SELECT ... FOR UPDATE, one transaction for each booking.
    Pessimistic,
    /// A version column, with retries.
    Optimistic,
    /// The CHECK alone, one transaction for each booking.
    Constraint,
    /// The booking writer.
    Writer,
    /// An empty call through the same server stack: nothing is booked.
    Floor,
}

impl Strategy {
    pub(crate) const ALL: [Self; 5] =
        [Self::Pessimistic, Self::Optimistic, Self::Constraint, Self::Writer, Self::Floor];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Pessimistic => "pessimistic",
            Self::Optimistic => "optimistic",
            Self::Constraint => "constraint",
            Self::Writer => "writer",
            Self::Floor => "floor",
        }
    }

    /// Whether it is one of those that the writer is compared with.
    pub(crate) const fn is_usual(self) -> bool {
        matches!(self, Self::Pessimistic | Self::Optimistic | Self::Constraint)
    }
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One transaction for each booking.
#[tonic::async_trait]
pub(crate) trait OneByOne: Send + Sync {
    /// One attempt. `None`: somebody else was faster, try again.
    async fn attempt(&self, pool: &PgPool, order: &NewReservation) -> Result<Option<Created>, ReservationError>;
}

/// Makes bookings one by one.
pub(crate) struct Single<S> {
    pub(crate) pool: PgPool,
    pub(crate) strategy: S,
}

/// Attempts for one booking, before the caller is told to try again.
const ATTEMPTS: u32 = 20;
/// The longest pause after the first attempt; it doubles with each.
const FIRST_PAUSE_MICROS: u64 = 500;
const LONGEST_PAUSE_MICROS: u64 = 50_000;

#[tonic::async_trait]
impl<S: OneByOne> Bookings for Single<S> {
    async fn book(&self, order: NewReservation) -> Result<Created, ReservationError> {
        for attempt in 0..ATTEMPTS {
            match self.strategy.attempt(&self.pool, &order).await {
                Ok(Some(created)) => return Ok(created),
                Ok(None) => {}
                Err(ReservationError::Store(error)) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause(attempt)).await;
        }
        Err(staymesh_mesh::Problem::new(staymesh_mesh::Reason::Overloaded, "too many others; try again").into())
    }

    async fn change(&self, order: ChangeOrder) -> Result<Applied, ReservationError> {
        apply(&Store::new(self.pool.clone()), order.id, &order.command, order.now).await
    }
}

/// Full jitter: anything up to a bound that doubles.
fn pause(attempt: u32) -> std::time::Duration {
    let bound = (FIRST_PAUSE_MICROS << attempt.min(10)).min(LONGEST_PAUSE_MICROS);
    std::time::Duration::from_micros(rand::random_range(0..=bound))
}
