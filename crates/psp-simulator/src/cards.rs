//! The card numbers that choose what happens. They belong to nobody.

use serde::{Deserialize, Serialize};

use crate::faults::{Decision, ReviewPlan, WebhookFault};

/// The card that pays; the checkout page comes with it filled in.
pub const TEST_CARD: &str = "4242 4242 4242 4242";

/// A card number that does something.
#[derive(Debug)]
pub struct TestCard {
    /// As a guest would type it.
    pub number: &'static str,
    /// What it does, as told on the page.
    pub does: &'static str,
    pub(crate) effect: Effect,
}

/// What a card number brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Pays,
    /// Pays; the event of it suffers.
    PaysUntold(WebhookFault),
    /// Pays, and the page never answers.
    PaysSilently,
    Declines(Decline),
    /// Asks the guest's bank first.
    Challenges(AfterChallenge),
    /// Keeps the guest waiting for somebody, or for what is planned.
    Reviews(Option<ReviewPlan>),
}

/// What happens when the guest has proved to be the owner of the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AfterChallenge {
    Pays,
    Declines,
}

/// Why a card was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decline {
    /// By the bank, for good: no other card is asked for.
    Refused,
    InsufficientFunds,
    ExpiredCard,
    LostCard,
    StolenCard,
    ProcessingError,
    /// The 3-D Secure challenge was not passed.
    AuthenticationFailed,
}

impl Decline {
    /// What the guest reads.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Refused => "The bank refused this payment.",
            Self::InsufficientFunds => "The card was declined: there is not enough money on it.",
            Self::ExpiredCard => "The card was declined: it has expired.",
            Self::LostCard => "The card was declined: it is reported as lost.",
            Self::StolenCard => "The card was declined: it is reported as stolen.",
            Self::ProcessingError => "The card was declined: the bank could not process it just now.",
            Self::AuthenticationFailed => "The card was declined: the bank did not confirm that it is yours.",
        }
    }
}

const fn card(number: &'static str, does: &'static str, effect: Effect) -> TestCard {
    TestCard { number, does, effect }
}

const fn review(decision: Decision) -> Effect {
    Effect::Reviews(Some(ReviewPlan { decision, after_seconds: 10 }))
}

/// Every number that does something, and what.
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
    card("4000 0000 0000 9235", "is reviewed until somebody decides", Effect::Reviews(None)),
    card("4000 0000 0000 9243", "is reviewed and approved after 10 seconds", review(Decision::Approve)),
    card("4000 0000 0000 9250", "is reviewed and rejected after 10 seconds", review(Decision::Reject)),
    card("4000 0000 0000 5001", "pays; the webhook is lost", Effect::PaysUntold(WebhookFault::Lose)),
    card("4000 0000 0000 5002", "pays; the webhook comes twice", Effect::PaysUntold(WebhookFault::Duplicate)),
    card("4000 0000 0000 5003", "pays; the webhook comes after a later one", Effect::PaysUntold(WebhookFault::Reorder)),
    card("4000 0000 0000 5004", "pays; the webhook is 30 seconds late", Effect::PaysUntold(WebhookFault::Delay(30))),
    card("4000 0000 0000 5005", "pays; the page never answers", Effect::PaysSilently),
];

/// Reads nothing but the digits, and keeps none of them. None for what is perhaps somebody's real card.
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
    fn documented_cards_do_as_documented_and_others_nothing() {
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
    fn the_sandbox_page_lists_the_same_cards() {
        let page = include_str!("../../../docs/SANDBOX.md");
        for card in TEST_CARDS {
            let row = format!("| `{}` | {} |", card.number, card.does);
            assert!(page.contains(&row), "docs/SANDBOX.md lacks {row}");
        }
    }
}
