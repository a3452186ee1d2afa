//! The card numbers that choose what happens. They belong to nobody.

/// The card that pays; the checkout page comes with it filled in.
pub const TEST_CARD: &str = "4242 4242 4242 4242";

/// Every number that does something, and what.
pub const TEST_CARDS: &[(&str, &str)] = &[
    (TEST_CARD, "pays"),
    ("4000 0000 0000 0002", "is declined for good"),
    ("4000 0000 0000 9995", "is declined, but another card may be tried"),
];

/// What a card number brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pays,
    Declined,
    TryAnother,
    /// Perhaps somebody's real card: nothing happens.
    NotATestCard,
}

/// Reads nothing but the digits, and keeps none of them.
pub(crate) fn outcome(number: &str) -> Outcome {
    let digits: String = number.chars().filter(char::is_ascii_digit).take(20).collect();
    match digits.as_str() {
        "4242424242424242" => Outcome::Pays,
        "4000000000000002" => Outcome::Declined,
        "4000000000009995" => Outcome::TryAnother,
        _ => Outcome::NotATestCard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_cards_do_as_documented_and_others_nothing() {
        let outcomes: Vec<_> = TEST_CARDS.iter().map(|(number, _)| outcome(number)).collect();
        assert_eq!(outcomes, [Outcome::Pays, Outcome::Declined, Outcome::TryAnother]);
        assert_eq!(outcome("4242-4242-4242-4242"), Outcome::Pays);
        for number in ["", "4111111111111111", "42424242424242420", "x"] {
            assert_eq!(outcome(number), Outcome::NotATestCard, "{number}");
        }
    }
}
