//! What clients were told.

use std::collections::HashMap;

use uuid::Uuid;

/// What a client knows of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Booked, by a status that says that its rooms are held.
    Held,
    /// Booked and cancelled, both by an answer.
    Cancelled,
    /// Booked; what became of its cancellation was never answered.
    HeldOrCancelled,
    /// Sold out, by the answer to the only request.
    Refused,
    /// Sold out, by the answer to a repeat: the first request may have come through after it.
    RefusedAfterSilence,
    /// Never answered.
    Unknown,
}

impl Fate {
    /// Whether a booking in this state, or none, is what the client was told.
    pub(super) fn allows(self, status: Option<&str>) -> bool {
        match self {
            Self::Held => status == Some("pending_payment"),
            Self::Cancelled => status == Some("cancelled"),
            Self::HeldOrCancelled => matches!(status, Some("pending_payment" | "cancelled")),
            Self::Refused => status.is_none(),
            Self::RefusedAfterSilence | Self::Unknown => matches!(status, None | Some("pending_payment")),
        }
    }
}

/// The fate of every booking that was asked for.
#[derive(Default)]
pub(super) struct Ledger(HashMap<Uuid, Fate>);

impl Ledger {
    pub(super) fn note(&mut self, id: Uuid, fate: Fate) {
        self.0.insert(id, fate);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn fate(&self, id: Uuid) -> Option<Fate> {
        self.0.get(&id).copied()
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (Uuid, Fate)> {
        self.0.iter().map(|(id, fate)| (*id, *fate))
    }

    pub(super) fn count(&self, fate: Fate) -> u64 {
        self.0.values().filter(|known| **known == fate).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_acknowledged_must_be_there_as_it_was_acknowledged() {
        assert!(Fate::Held.allows(Some("pending_payment")));
        for lost in [None, Some("cancelled"), Some("paid")] {
            assert!(!Fate::Held.allows(lost), "{lost:?}");
        }
        assert!(!Fate::Cancelled.allows(Some("pending_payment")));
        assert!(!Fate::Refused.allows(Some("pending_payment")));
        assert!(Fate::Unknown.allows(None));
    }
}
