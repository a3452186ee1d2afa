//! The texts of the checkout page, in each language.

mod english;
mod french;
mod german;
mod portuguese;
mod spanish;

use staymesh_domain::Language;

use crate::cards::Decline;

/// Every text of the page in one language. `{amount}` and `{count}` stand for values.
pub(super) struct Texts {
    pub(super) brand: &'static str,
    pub(super) test_mode: &'static str,
    pub(super) languages: &'static str,

    pub(super) title_checkout: &'static str,
    pub(super) title_challenge: &'static str,
    pub(super) title_try_again: &'static str,
    pub(super) title_review: &'static str,
    pub(super) title_paid: &'static str,
    pub(super) title_failed: &'static str,
    pub(super) title_expired: &'static str,

    pub(super) paid: &'static str,
    pub(super) failed: &'static str,
    pub(super) expired: &'static str,
    pub(super) challenge: &'static str,
    pub(super) review: &'static str,

    pub(super) purpose: &'static str,
    pub(super) reference: &'static str,
    pub(super) time_left: &'static str,

    pub(super) card_number: &'static str,
    pub(super) pay: &'static str,
    pub(super) give_up: &'static str,
    pub(super) test_cards: &'static str,
    pub(super) not_a_test_card: &'static str,
    pub(super) try_another_card: &'static str,
    pub(super) one_try: &'static str,
    pub(super) tries: &'static str,

    pub(super) it_is_me: &'static str,
    pub(super) it_is_not_me: &'static str,
    pub(super) look_again: &'static str,
    pub(super) decide: &'static str,
    pub(super) approve: &'static str,
    pub(super) reject: &'static str,
    pub(super) back: &'static str,

    pub(super) undecided: &'static str,
    pub(super) not_found: &'static str,
    pub(super) unavailable: &'static str,
    pub(super) not_displayed: &'static str,

    declines: Declines,
}

/// Why a card was declined.
struct Declines {
    refused: &'static str,
    insufficient_funds: &'static str,
    expired_card: &'static str,
    lost_card: &'static str,
    stolen_card: &'static str,
    processing_error: &'static str,
    authentication_failed: &'static str,
}

impl Texts {
    pub(super) const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &english::TEXTS,
            Language::Portuguese => &portuguese::TEXTS,
            Language::German => &german::TEXTS,
            Language::Spanish => &spanish::TEXTS,
            Language::French => &french::TEXTS,
        }
    }

    pub(super) const fn decline(&self, why: Decline) -> &'static str {
        match why {
            Decline::Refused => self.declines.refused,
            Decline::InsufficientFunds => self.declines.insufficient_funds,
            Decline::ExpiredCard => self.declines.expired_card,
            Decline::LostCard => self.declines.lost_card,
            Decline::StolenCard => self.declines.stolen_card,
            Decline::ProcessingError => self.declines.processing_error,
            Decline::AuthenticationFailed => self.declines.authentication_failed,
        }
    }

    pub(super) fn tries_left(&self, count: usize) -> String {
        if count == 1 { self.one_try.to_owned() } else { self.tries.replace("{count}", &count.to_string()) }
    }
}

/// The language's own name, for the links to other languages.
pub(super) const fn name(language: Language) -> &'static str {
    match language {
        Language::English => "English",
        Language::Portuguese => "Português",
        Language::German => "Deutsch",
        Language::Spanish => "Español",
        Language::French => "Français",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_the_values_of_the_texts() {
        for language in Language::ALL {
            let texts = Texts::of(language);
            assert!(texts.pay.contains("{amount}") && texts.tries.contains("{count}"), "{language:?}");
            assert!(texts.tries_left(1) != texts.tries_left(2) && texts.tries_left(2).contains('2'), "{language:?}");
        }
    }
}
