//! Pending changes as the database keeps them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use staymesh_domain::ReservationId;

use crate::{model::PendingChange, night::Night, rooms_change::ChangeRecord};

/// A pending change as [`super::lines::reservation_columns`] reads it.
#[derive(Deserialize)]
pub(super) struct PendingRecord {
    revision: i32,
    document: ChangeRecord,
    held: Vec<HeldRecord>,
    expire_time: Timestamp,
    create_time: Timestamp,
}

/// Rooms held in a night: room type, days since 1970-01-01, rooms.
pub(super) type HeldRecord = (i32, i32, i32);

/// The form in column `held` of the rooms that a change holds.
pub(super) fn held(nights: &BTreeMap<Night, i32>) -> Vec<HeldRecord> {
    nights.iter().map(|((_, room_type, day), rooms)| (*room_type, *day, *rooms)).collect()
}

impl PendingRecord {
    /// The pending change of a reservation.
    ///
    /// # Errors
    /// When its document is not one that this service writes.
    pub(super) fn read(self, id: ReservationId) -> Result<PendingChange, String> {
        let hotel = id.hotel_id().get();
        Ok(PendingChange {
            revision: self.revision,
            change: self.document.try_into().map_err(|error| format!("{error}"))?,
            held: self.held.into_iter().map(|(room_type, day, rooms)| ((hotel, room_type, day), rooms)).collect(),
            expire_time: self.expire_time,
            create_time: self.create_time,
        })
    }
}
