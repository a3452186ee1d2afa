//! Reservations that end unpaid: those that were picked up from a group block give their rooms back to it.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::ChangePlan;
use crate::{
    lifecycle::{Decision, Rooms},
    model::{Reservation, Status},
};

impl ChangePlan<'_> {
    /// The reservations that were never paid and release their rooms.
    pub(crate) fn ended_unpaid(&self) -> Vec<&Reservation> {
        let ended = self
            .planned()
            .filter(|(booking, change)| booking.status == Status::PendingPayment && change.rooms == Rooms::Release);
        ended.map(|(booking, _)| booking).collect()
    }

    /// Keeps the rooms of those of [`Self::ended_unpaid`] reserved that went back to their group block.
    pub(crate) fn keep_reserved(&mut self, returned: &BTreeSet<Uuid>) {
        for (booking, decision) in self.judged.iter_mut().flatten() {
            if let Decision::Change(change) = decision
                && returned.contains(&booking.id.as_uuid())
            {
                change.rooms = Rooms::Keep;
            }
        }
    }
}
