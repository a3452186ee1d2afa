//! The booking strategies that the benchmark compares behind one RPC. They differ only in how rooms are taken: each
//! inserts the same rows into the same tables, under the same constraints and triggers.
//!
//! The booking writer runs behind the product's own service. The three usual strategies take one transaction per booking
//! ([`direct`]) and run behind the same server stack, with the same checks of token and offer.

mod constraint;
mod create_only;
mod direct;
mod floor;
mod optimistic;
mod pessimistic;
mod refusal;
mod row;

pub(crate) use constraint::Constraint;
pub(crate) use create_only::CreateOnly;
pub(crate) use direct::{Direct, Transaction};
pub(crate) use floor::Floor;
pub(crate) use optimistic::Optimistic;
pub(crate) use pessimistic::Pessimistic;

/// A booking strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Strategy {
    /// SELECT ... FOR UPDATE, one transaction per booking.
    Pessimistic,
    /// A version column with retries, one transaction per booking.
    Optimistic,
    /// The CHECK constraint alone, one transaction per booking.
    Constraint,
    /// The booking writer: many bookings per transaction.
    Writer,
    /// An RPC that does nothing, through the same server stack.
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

    /// Whether the writer is compared with it.
    pub(crate) const fn is_usual(self) -> bool {
        matches!(self, Self::Pessimistic | Self::Optimistic | Self::Constraint)
    }
}

impl std::fmt::Display for Strategy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
