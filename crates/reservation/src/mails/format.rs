//! Formats times and amounts for mails, in every language.

use jiff::{Timestamp, tz::TimeZone};
use staymesh_domain::{Language, Money};

/// The date and the minute in a time zone.
pub(super) fn minute(language: Language, time: Timestamp, zone: &TimeZone) -> String {
    let local = time.to_zoned(zone.clone());
    format!("{}, {:02}:{:02}", language.date(local.date()), local.hour(), local.minute())
}

/// The amount with its currency code.
pub(super) fn money(language: Language, money: Money) -> String {
    let amount = match language {
        Language::English => money.amount(),
        _ => money.amount().replace('.', ","),
    };
    format!("{amount} {}", money.currency().code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minute_is_local_time_at_the_hotel() {
        let time = "2027-02-28T00:00:00Z".parse().expect("a time");
        let honolulu = staymesh_domain::time_zone("Pacific/Honolulu").expect("a zone");
        assert_eq!(minute(Language::English, time, &honolulu), "Saturday, 27 February 2027, 14:00");
        let tokyo = staymesh_domain::time_zone("Asia/Tokyo").expect("a zone");
        assert_eq!(minute(Language::French, time, &tokyo), "dimanche 28 février 2027, 09:00");
    }

    #[test]
    fn money_has_the_decimal_mark_of_the_language() {
        let price = Money::parse("EUR", "1234.50").expect("an amount");
        assert_eq!(money(Language::English, price), "1234.50 EUR");
        assert_eq!(money(Language::German, price), "1234,50 EUR");
        assert_eq!(money(Language::French, Money::parse("JPY", "12000").expect("an amount")), "12000 JPY");
    }
}
