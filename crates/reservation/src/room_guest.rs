//! The lead guest of a room and the wishes for it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Who sleeps in a room and what they wish. Empty texts and `None` say nothing. Personal data: never logged; `Debug` hides it.
///
/// Its JSON is the column `reservation_room.guest`: a field may be added, never renamed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RoomGuest {
    /// At most 100 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub given_name: String,
    /// At most 100 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub family_name: String,
    /// By the hotel's clocks, `hh:mm`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub arrival_time: String,
    /// Whether that is on the date after check-in.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub arrives_after_midnight: bool,
    /// The date until which they may arrive, as they announced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_arrival_until: Option<Date>,
    /// How they like to sleep.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beds: Option<Beds>,
    /// Whether they smoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoking: Option<bool>,
    /// At most 500 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub special_request: String,
    /// At most 50 characters.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub loyalty_id: String,
    /// At most 15 digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub phone: String,
}

/// How guests like to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beds {
    /// In one large bed.
    Double,
    /// In separate beds.
    Twin,
}

impl RoomGuest {
    /// The guest, unless nothing is said.
    pub(crate) fn said(self) -> Option<Self> {
        (self != Self::default()).then_some(self)
    }
}

impl std::fmt::Debug for RoomGuest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RoomGuest(..)")
    }
}

/// SHA-256 of the guests of rooms in their order; `None` if nothing is said of any.
///
/// # Errors
/// When a guest cannot be serialized, which is a defect.
pub(crate) fn hash_of(guests: &[Option<RoomGuest>]) -> Result<Option<[u8; 32]>, serde_json::Error> {
    if guests.iter().all(Option::is_none) {
        return Ok(None);
    }
    Ok(Some(Sha256::digest(serde_json::to_vec(guests)?).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_is_stored_without_what_is_not_said_and_is_not_printed() {
        let guest = RoomGuest { family_name: "Guest".into(), beds: Some(Beds::Twin), ..RoomGuest::default() };
        let stored = serde_json::to_string(&guest).expect("writes");
        assert_eq!(stored, r#"{"family_name":"Guest","beds":"twin"}"#);
        assert_eq!(serde_json::from_str::<RoomGuest>(&stored).expect("reads"), guest);
        assert_eq!((format!("{guest:?}").as_str(), RoomGuest::default().said()), ("RoomGuest(..)", None));
        assert!(
            hash_of(&[None, None]).expect("hashes").is_none() && hash_of(&[Some(guest)]).expect("hashes").is_some()
        );
    }
}
