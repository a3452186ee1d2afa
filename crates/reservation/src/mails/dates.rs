//! Dates, times and amounts as people write them, in every language.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use staymesh_domain::{Language, Money};

/// Days from Monday, months from January.
struct Calendar {
    days: [&'static str; 7],
    months: [&'static str; 12],
}

const ENGLISH: Calendar = Calendar {
    days: ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
};
const PORTUGUESE: Calendar = Calendar {
    days: ["segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"],
    months: [
        "janeiro",
        "fevereiro",
        "março",
        "abril",
        "maio",
        "junho",
        "julho",
        "agosto",
        "setembro",
        "outubro",
        "novembro",
        "dezembro",
    ],
};
const GERMAN: Calendar = Calendar {
    days: ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
    months: [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
};
const SPANISH: Calendar = Calendar {
    days: ["lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"],
    months: [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
};
const FRENCH: Calendar = Calendar {
    days: ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"],
    months: [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
};

/// The date with its day of the week.
pub(super) fn date(language: Language, date: Date) -> String {
    let calendar = match language {
        Language::English => &ENGLISH,
        Language::Portuguese => &PORTUGUESE,
        Language::German => &GERMAN,
        Language::Spanish => &SPANISH,
        Language::French => &FRENCH,
    };
    let weekday = usize::from(date.weekday().to_monday_zero_offset().unsigned_abs());
    let month = usize::from(date.month().unsigned_abs()) - 1;
    let (weekday, month) = (calendar.days[weekday], calendar.months[month]);
    let (day, year) = (date.day(), date.year());
    match language {
        Language::English => format!("{weekday}, {day} {month} {year}"),
        Language::Portuguese | Language::Spanish => format!("{weekday}, {day} de {month} de {year}"),
        Language::German => format!("{weekday}, {day}. {month} {year}"),
        Language::French if day == 1 => format!("{weekday} 1er {month} {year}"),
        Language::French => format!("{weekday} {day} {month} {year}"),
    }
}

/// The date and the minute in a time zone.
pub(super) fn minute(language: Language, time: Timestamp, zone: &TimeZone) -> String {
    let local = time.to_zoned(zone.clone());
    format!("{}, {:02}:{:02}", date(language, local.date()), local.hour(), local.minute())
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
    use jiff::civil;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Language::English, "Monday, 1 March 2027")]
    #[case(Language::Portuguese, "segunda-feira, 1 de março de 2027")]
    #[case(Language::German, "Montag, 1. März 2027")]
    #[case(Language::Spanish, "lunes, 1 de marzo de 2027")]
    #[case(Language::French, "lundi 1er mars 2027")]
    fn date_is_written_as_in_its_language(#[case] language: Language, #[case] text: &str) {
        assert_eq!(date(language, civil::date(2027, 3, 1)), text);
    }

    #[test]
    fn last_day_of_a_week_and_of_a_year_have_names() {
        assert_eq!(date(Language::German, civil::date(2028, 12, 31)), "Sonntag, 31. Dezember 2028");
        assert_eq!(date(Language::French, civil::date(2028, 12, 31)), "dimanche 31 décembre 2028");
    }

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
