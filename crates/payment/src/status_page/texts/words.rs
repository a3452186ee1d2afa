//! Messages in the guest's language, and times in the hotel's zone.

use std::fmt::Display;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use staymesh_domain::Language;

use super::{
    languages::{english, french, german, portuguese, spanish},
    message::Message,
};

/// Renders messages in one language, and times in the zone of the hotel.
#[derive(Debug, Clone)]
pub(in crate::status_page) struct Words {
    language: Language,
    zone: TimeZone,
}

impl Words {
    /// Without a zone, because the hotel is not known at the moment, times are in UTC; each time names its zone.
    pub(in crate::status_page) fn new(language: Language, zone: Option<TimeZone>) -> Self {
        Self { language, zone: zone.unwrap_or(TimeZone::UTC) }
    }

    pub(in crate::status_page) const fn language(&self) -> Language {
        self.language
    }

    pub(in crate::status_page) fn say(&self, message: Message) -> &'static str {
        let texts = match self.language {
            Language::English => &english::TEXTS,
            Language::Portuguese => &portuguese::TEXTS,
            Language::German => &german::TEXTS,
            Language::Spanish => &spanish::TEXTS,
            Language::French => &french::TEXTS,
        };
        texts.iter().find(|(key, _)| *key == message).map_or("", |(_, text)| text)
    }

    /// The message with its values.
    pub(in crate::status_page) fn fill(&self, message: Message, values: &[(&str, &dyn Display)]) -> String {
        values.iter().fold(self.say(message).to_owned(), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), &value.to_string())
        })
    }

    /// `Wednesday, 1 May 2030`
    pub(in crate::status_page) fn date(&self, date: Date) -> String {
        self.language.date(date)
    }

    /// `12:45 (Europe/Lisbon)`, with the date if it is not today there.
    pub(in crate::status_page) fn time(&self, time: Timestamp, now: Timestamp) -> String {
        let (local, today) = (time.to_zoned(self.zone.clone()), now.to_zoned(self.zone.clone()).date());
        let clock = local.strftime("%H:%M");
        let zone = self.zone.iana_name().unwrap_or("UTC");
        if local.date() == today {
            format!("{clock} ({zone})")
        } else {
            format!("{}, {clock} ({zone})", self.language.date_without_weekday(local.date()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::message::ALL, *};

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_language_has_every_message_with_the_same_values() {
        let english = Words::new(Language::English, None);
        for language in Language::ALL {
            let words = Words::new(language, None);
            for message in ALL {
                let text = words.say(*message);
                assert!(!text.trim().is_empty(), "{message:?} is missing in {language:?}");
                assert_eq!(placeholders(text), placeholders(english.say(*message)), "{message:?} in {language:?}");
                let sentence = english.say(*message).ends_with('.');
                assert!(!sentence || text.ends_with('.'), "{message:?} in {language:?}");
                let translated = text.len() < 20 || language == Language::English || text != english.say(*message);
                assert!(translated, "{message:?} is English in {language:?}");
            }
        }
    }

    #[test]
    fn times_are_local_to_the_hotel_and_name_their_zone() {
        let now: Timestamp = "2030-05-01T10:50:00Z".parse().expect("a time");
        let at = |zone: &str| Words::new(Language::English, TimeZone::get(zone).ok());
        assert_eq!(at("Europe/Lisbon").time(now, now), "11:50 (Europe/Lisbon)");
        assert_eq!(at("Pacific/Auckland").time(now, now), "22:50 (Pacific/Auckland)");
        let later: Timestamp = "2030-05-01T12:05:00Z".parse().expect("a time");
        assert_eq!(at("Pacific/Auckland").time(later, now), "2 May 2030, 00:05 (Pacific/Auckland)");
        assert_eq!(Words::new(Language::English, None).time(later, now), "12:05 (UTC)");
    }
}
