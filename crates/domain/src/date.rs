//! Calendar dates in the form of the contract: `yyyy-mm-dd`.

use jiff::civil::Date;

/// Why text is not a valid date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Not ten characters of the form `yyyy-mm-dd`.
    #[error("must be a date of the form yyyy-mm-dd")]
    Form,
    /// Well formed, but not a day of the calendar, such as 2027-02-30.
    #[error("is not a day of the calendar")]
    NoSuchDay,
    /// A year outside 2000 to 2199: almost certainly a mistake, and not a range that hotels sell.
    #[error("must be in a year from 2000 to 2199")]
    Year,
}

/// Parses `yyyy-mm-dd` in ASCII digits, with a year from 2000 to 2199.
///
/// Other spellings of ISO 8601 are refused, so that equal dates are equal text in hashes, cache keys and comparisons.
///
/// # Errors
/// See [`DateError`].
pub fn parse_date(text: &str) -> Result<Date, DateError> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else { return Err(DateError::Form) };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_i16, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i16::from(digit - b'0')).ok_or(DateError::Form)
        })
    };
    let (year, month, day) = (number(&[y1, y2, y3, y4])?, number(&[m1, m2])?, number(&[d1, d2])?);
    if !(2000..=2199).contains(&year) {
        return Err(DateError::Year);
    }
    // Two digits fit into an i8.
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return Err(DateError::Form) };
    Date::new(year, month, day).map_err(|_| DateError::NoSuchDay)
}

/// Formats a date as `yyyy-mm-dd`.
pub fn format_date(date: Date) -> String {
    date.to_string()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parse_date_accepts_one_spelling_of_real_days() {
        for text in [
            "",
            "2027-3-01",
            "2027-03-1",
            "20270301",
            "2027/03/01",
            "2027-03-01T00:00",
            " 2027-03-01",
            "+027-03-01",
            "2027-W09-1",
            "-202-03-01",
            "2027-03-0१",
            "２０２７-03-01",
            "2027-0a-01",
            "2027--3-01",
        ] {
            assert_eq!(parse_date(text), Err(DateError::Form), "{text}");
        }
        for text in ["2027-00-10", "2027-13-01", "2027-02-29", "2027-04-31", "2027-04-00", "2027-99-99", "2100-02-29"] {
            assert_eq!(parse_date(text), Err(DateError::NoSuchDay), "{text}");
        }
        for text in ["0000-00-00", "1999-12-31", "2200-01-01", "9999-12-31"] {
            assert_eq!(parse_date(text), Err(DateError::Year), "{text}");
        }
        assert_eq!(parse_date("2028-02-29"), Ok(date(2028, 2, 29)));
    }

    proptest! {
        #[test]
        fn format_and_parse_round_trip(days in 0..73_049_i32) {
            let day = date(2000, 1, 1) + days.days();
            prop_assert_eq!(parse_date(&format_date(day)), Ok(day));
        }

        #[test]
        fn parse_date_never_panics(text in "\\PC{0,12}") {
            let _ = parse_date(&text);
        }
    }
}
