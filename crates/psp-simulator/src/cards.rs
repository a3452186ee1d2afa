//! Test card numbers and their effects. No real card has these numbers.

use serde::{Deserialize, Serialize};

use crate::faults::{Decision, ReviewPlan, WebhookFault};

/// The card that is charged; prefilled on the checkout page.
pub const TEST_CARD: &str = "4242 4242 4242 4242";

/// A test card.
#[derive(Debug)]
pub struct TestCard {
    /// The number with spaces, as a guest types it.
    pub number: &'static str,
    /// Its effect, as printed on the checkout page and in docs/SANDBOX.md, for developers and thus in English.
    pub does: &'static str,
    pub(crate) effect: Effect,
}

/// The effect of a test card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Pays,
    /// Pays; its webhook event has a fault.
    PaysWithWebhookFault(WebhookFault),
    /// Pays; the answer of the page is withheld.
    PaysWithoutAnswer,
    Declines(Decline),
    /// Requires a 3-D Secure challenge.
    Challenges(AfterChallenge),
    /// Sends the payment into review, with or without a planned decision.
    Reviews(Option<ReviewPlan>),
}

/// The result of a passed 3-D Secure challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AfterChallenge {
    Pays,
    Declines,
}

/// The reason of a declined card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decline {
    /// Refused by the bank; ends the session.
    Refused,
    InsufficientFunds,
    ExpiredCard,
    LostCard,
    StolenCard,
    ProcessingError,
    /// The 3-D Secure challenge was not passed.
    AuthenticationFailed,
}

const fn card(number: &'static str, does: &'static str, effect: Effect) -> TestCard {
    TestCard { number, does, effect }
}

const fn review(decision: Decision) -> Effect {
    Effect::Reviews(Some(ReviewPlan { decision, after_seconds: 10 }))
}

/// All test cards.
pub const TEST_CARDS: &[TestCard] = &[
    card(TEST_CARD, "pays", Effect::Pays),
    card("4000 0000 0000 0002", "is declined for good", Effect::Declines(Decline::Refused)),
    card("4000 0000 0000 9995", "is declined: not enough money", Effect::Declines(Decline::InsufficientFunds)),
    card("4000 0000 0000 0069", "is declined: expired", Effect::Declines(Decline::ExpiredCard)),
    card("4000 0000 0000 9987", "is declined: lost", Effect::Declines(Decline::LostCard)),
    card("4000 0000 0000 9979", "is declined: stolen", Effect::Declines(Decline::StolenCard)),
    card("4000 0000 0000 0119", "is declined: processing error", Effect::Declines(Decline::ProcessingError)),
    card("4000 0000 0000 3220", "asks for 3-D Secure, then pays", Effect::Challenges(AfterChallenge::Pays)),
    card("4000 0084 0000 1629", "asks for 3-D Secure, then is declined", Effect::Challenges(AfterChallenge::Declines)),
    card("4000 0000 0000 9235", "is reviewed until a decision is made", Effect::Reviews(None)),
    card("4000 0000 0000 9243", "is reviewed and approved after 10 seconds", review(Decision::Approve)),
    card("4000 0000 0000 9250", "is reviewed and rejected after 10 seconds", review(Decision::Reject)),
    card("4000 0000 0000 5001", "pays; the webhook is lost", Effect::PaysWithWebhookFault(WebhookFault::Lose)),
    card("4000 0000 0000 5002", "pays; the webhook comes twice", Effect::PaysWithWebhookFault(WebhookFault::Duplicate)),
    card(
        "4000 0000 0000 5003",
        "pays; the webhook comes after a later one",
        Effect::PaysWithWebhookFault(WebhookFault::Reorder),
    ),
    card(
        "4000 0000 0000 5004",
        "pays; the webhook is 30 seconds late",
        Effect::PaysWithWebhookFault(WebhookFault::Delay(30)),
    ),
    card("4000 0000 0000 5005", "pays; the page never answers", Effect::PaysWithoutAnswer),
];

/// The effect of a card number, by its digits; `None` for any other number, which may be a real card.
pub(crate) fn effect(number: &str) -> Option<Effect> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).take(20).collect::<String>();
    let given = digits(number);
    TEST_CARDS.iter().find(|card| digits(card.number) == given).map(|card| card.effect)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn effect_knows_test_cards_in_any_spelling_and_no_other_number() {
        for card in TEST_CARDS {
            assert_eq!(effect(card.number), Some(card.effect));
            assert_eq!(effect(&card.number.replace(' ', "-")), Some(card.effect));
        }
        assert_eq!(effect("4242424242424242"), Some(Effect::Pays));
        for number in ["", "4111111111111111", "42424242424242420", "x"] {
            assert_eq!(effect(number), None, "{number}");
        }
        assert_eq!(TEST_CARDS.iter().map(|card| card.number).collect::<HashSet<_>>().len(), TEST_CARDS.len());
    }

    #[test]
    fn sandbox_page_lists_every_test_card() {
        let page = include_str!("../../../docs/SANDBOX.md");
        for card in TEST_CARDS {
            let row = format!("| `{}` | {} |", card.number, card.does);
            assert!(page.contains(&row), "docs/SANDBOX.md lacks {row}");
        }
    }
}
