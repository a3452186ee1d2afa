//! The status of a room of a reservation.
//!
//! ```text
//! LIVE     -> IN_HOUSE    check-in
//! IN_HOUSE -> LIVE        the check-in is undone on the same day
//! IN_HOUSE -> COMPLETED   check-out, or the day after the check-out date
//! ```
//!
//! `CANCELLED` and `NO_SHOW` follow from the reservation. The trigger `reservation_room_legal_transition` refuses every other
//! transition to or from `IN_HOUSE` and `COMPLETED`.

/// The status of a room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RoomStatus {
    /// Held or sold; its guests have not arrived.
    #[default]
    Live,
    /// Its guests have checked in.
    InHouse,
    /// Its guests have checked out.
    Completed,
    /// Released.
    Cancelled,
    /// Released because its guests did not arrive.
    NoShow,
}

impl RoomStatus {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Live, Self::InHouse, Self::Completed, Self::Cancelled, Self::NoShow];

    /// The text in column `reservation_room.status`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::InHouse => "in_house",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::NoShow => "no_show",
        }
    }

    /// The status with this text; `None` if there is none.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// The name in the contract, without its prefix.
    pub(crate) fn contract_name(self) -> String {
        self.as_str().to_uppercase()
    }

    /// Whether the room counts as reserved in its nights. The database has the same function, `holds_room(text)`.
    pub const fn holds_room(self) -> bool {
        matches!(self, Self::Live | Self::InHouse | Self::Completed)
    }

    /// Whether its guests have checked in, whether or not they have checked out.
    pub const fn has_arrived(self) -> bool {
        matches!(self, Self::InHouse | Self::Completed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_of_arrived_guests_hold_their_nights() {
        for status in RoomStatus::ALL {
            assert_eq!(RoomStatus::from_name(status.as_str()), Some(status));
            assert!(status.holds_room() || !status.has_arrived(), "{status:?}");
        }
        assert_eq!(RoomStatus::ALL.map(RoomStatus::holds_room), [true, true, true, false, false]);
        assert_eq!(RoomStatus::from_name("gone"), None);
    }
}
