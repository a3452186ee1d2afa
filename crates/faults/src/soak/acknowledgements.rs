//! The answers that clients received, by booking.

use std::collections::HashMap;

use uuid::Uuid;

/// What the answers to a client allow as the state of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    /// The booking was acknowledged as held.
    Held,
    /// The booking and its cancellation were acknowledged.
    Cancelled,
    /// The booking was acknowledged; its cancellation was never answered.
    HeldOrCancelled,
    /// The first request was refused as sold out.
    Refused,
    /// A retry was refused as sold out; the first request, whose answer was lost, may have been committed.
    RefusedAfterRetry,
    /// No request was answered.
    Unanswered,
}

impl Acknowledgement {
    /// Whether a booking with this status, or no booking (`None`), is consistent with the answers.
    pub(super) fn allows(self, status: Option<&str>) -> bool {
        match self {
            Self::Held => status == Some("pending_payment"),
            Self::Cancelled => status == Some("cancelled"),
            Self::HeldOrCancelled => matches!(status, Some("pending_payment" | "cancelled")),
            Self::Refused => status.is_none(),
            Self::RefusedAfterRetry | Self::Unanswered => matches!(status, None | Some("pending_payment")),
        }
    }
}

/// The acknowledgement of every booking that was requested.
#[derive(Default)]
pub(super) struct Acknowledgements(HashMap<Uuid, Acknowledgement>);

impl Acknowledgements {
    /// Records an answer; it replaces an earlier one for the same booking.
    pub(super) fn record(&mut self, id: Uuid, acknowledgement: Acknowledgement) {
        self.0.insert(id, acknowledgement);
    }

    /// Adds those of another client.
    pub(super) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, id: Uuid) -> Option<Acknowledgement> {
        self.0.get(&id).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Uuid, Acknowledgement)> {
        self.0.iter().map(|(id, acknowledgement)| (*id, *acknowledgement))
    }

    pub(super) fn count(&self, acknowledgement: Acknowledgement) -> u64 {
        self.0.values().filter(|known| **known == acknowledgement).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgement_allows_only_the_acknowledged_state() {
        assert!(Acknowledgement::Held.allows(Some("pending_payment")));
        for lost in [None, Some("cancelled"), Some("paid")] {
            assert!(!Acknowledgement::Held.allows(lost), "{lost:?}");
        }
        assert!(!Acknowledgement::Cancelled.allows(Some("pending_payment")));
        assert!(!Acknowledgement::Refused.allows(Some("pending_payment")));
        assert!(Acknowledgement::Unanswered.allows(None));
    }
}
