//! The lead guest of a room and the wishes for it.

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

/// Whether a text contains the number of a payment card: 13 to 19 digits, also in groups, that pass the check of Luhn (ISO/IEC
/// 7812-1, annex B).
pub(crate) fn has_card_number(text: &str) -> bool {
    let is_in_card = |c: char| c.is_ascii_digit() || c.is_whitespace() || matches!(c, '-' | '.' | '/');
    text.split(|c| !is_in_card(c)).any(|part| {
        let groups = part.split(|c: char| !c.is_ascii_digit()).filter(|group| !group.is_empty());
        has_card_in(&groups.collect::<Vec<_>>())
    })
}

/// Whether some of the groups of digits that follow each other are the number of a card: an expiry date, or the number of a
/// room, may be beside it.
fn has_card_in(groups: &[&str]) -> bool {
    (0..groups.len()).any(|first| {
        let mut digits = Vec::new();
        groups[first..].iter().any(|group| {
            digits.extend(group.chars().filter_map(|digit| digit.to_digit(10)));
            (13..=19).contains(&digits.len()) && passes_luhn(&digits)
        })
    })
}

fn passes_luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let of = |(at, digit): (usize, &u32)| if at % 2 == 1 { doubled(*digit) } else { *digit };
    digits.iter().rev().enumerate().map(of).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_number_is_found_in_a_text_also_in_groups() {
        for text in [
            "4242424242424242",
            "my card is 4242 4242 4242 4242, thanks",
            "4242-4242-4242-4242",
            "3782 822463 10005",
            "6304000000000000000",
            "4222222222222.",
            "4242 4242 4242 4242 12/27 123",
            "4242424242424242 123",
            "room 12 4242 4242 4242 4242",
            "4242.4242.4242.4242",
            "4242  4242\n4242  4242",
        ] {
            assert!(has_card_number(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_no_card_number() {
        for text in [
            "",
            "4242424242424241",
            "424242424242",
            "42424242424242424242",
            "call +351 912 345 678",
            "4242 4242 x 4242 4242",
            "rooms 12, 14, 16; arriving 2030-01-01",
        ] {
            assert!(!has_card_number(text), "{text}");
        }
    }

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
