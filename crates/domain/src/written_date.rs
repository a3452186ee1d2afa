//! Dates as people write them, in every language.

use jiff::civil::Date;

use crate::Language;

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

impl Language {
    /// The date with its weekday: `Monday, 1 March 2027`.
    pub fn date(self, date: Date) -> String {
        let weekday = self.calendar().days[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())];
        let rest = self.date_without_weekday(date);
        match self {
            Self::French => format!("{weekday} {rest}"),
            _ => format!("{weekday}, {rest}"),
        }
    }

    /// The date without its weekday: `1 March 2027`.
    pub fn date_without_weekday(self, date: Date) -> String {
        let month = self.calendar().months[usize::from(date.month().unsigned_abs()) - 1];
        let (day, year) = (date.day(), date.year());
        match self {
            Self::Portuguese | Self::Spanish => format!("{day} de {month} de {year}"),
            Self::German => format!("{day}. {month} {year}"),
            Self::French if day == 1 => format!("1er {month} {year}"),
            Self::English | Self::French => format!("{day} {month} {year}"),
        }
    }

    const fn calendar(self) -> &'static Calendar {
        match self {
            Self::English => &ENGLISH,
            Self::Portuguese => &PORTUGUESE,
            Self::German => &GERMAN,
            Self::Spanish => &SPANISH,
            Self::French => &FRENCH,
        }
    }
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
        let date = civil::date(2027, 3, 1);
        assert_eq!(language.date(date), text);
        assert!(text.ends_with(&language.date_without_weekday(date)));
    }

    #[test]
    fn last_day_of_a_week_and_of_a_year_have_names() {
        assert_eq!(Language::German.date(civil::date(2028, 12, 31)), "Sonntag, 31. Dezember 2028");
        assert_eq!(Language::French.date(civil::date(2028, 12, 31)), "dimanche 31 décembre 2028");
    }
}
