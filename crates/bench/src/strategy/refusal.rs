//! The error of a booking transaction, and its mapping to the reasons of the API.

use staymesh_mesh::{Problem, Reason};
use staymesh_store::StoreError;

/// Why a transaction did not book.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A night has not enough rooms.
    SoldOut,
    /// A night is not on sale.
    NotOnSale,
    /// The id belongs to another reservation.
    IdReused,
    /// Every attempt lost against concurrent transactions.
    Overloaded,
    /// The database failed.
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::SoldOut => Self::new(Reason::RoomSoldOut, "sold out"),
            Refusal::NotOnSale => Self::new(Reason::NotOnSale, "not on sale"),
            Refusal::IdReused => Self::new(Reason::ReservationIdReused, "the id belongs to another reservation"),
            Refusal::Overloaded => Self::new(Reason::Overloaded, "too many concurrent bookings; retry"),
            Refusal::Store(error) => error.into(),
        }
    }
}
