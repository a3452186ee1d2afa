//! Numbers of payment cards in free text, which are not to be stored.

/// Whether a text contains the number of a payment card: 13 to 19 digits, also in groups, that pass the check of Luhn (ISO/IEC
/// 7812-1, annex B).
pub fn has_card_number(text: &str) -> bool {
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
}
