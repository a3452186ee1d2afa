//! Cancellation policies: what is kept of a stay's price when the guest cancels or does not come.
//!
//! A [`CancellationPolicy`] is what a hotel sets: tiers of deadlines relative to the arrival, with rising penalties. When an
//! offer is made it is resolved once, for one stay and one price, into [`CancellationTerms`]: instants and amounts. The terms
//! go into the offer and the booking, and later changes of the policy, of the check-in time or of time zones do not move
//! them.

mod combine;
mod early_departure;
mod penalty;
mod policy;
mod resolve;
mod terms;

pub use early_departure::EarlyDeparture;
pub use penalty::Penalty;
pub use policy::{Anchor, CancellationPolicy, Exceptions, PenaltyBase, Tier, Until};
pub use resolve::{ResolveError, Stay};
pub use terms::{CancellationTerms, Deadline, FreeUntil, Grace};
