//! Which passwords an account may have: the rules of NIST SP 800-63B, section 5.1.1.2.
//!
//! Passwords are compared in Unicode normalization form NFKC, so that the same password typed on another keyboard or system
//! matches, and their length is counted in characters of that form. There are no rules of composition. Refused are
//! passwords that attackers try first: common ones, sequences and repetitions, and those made of the person's own name or
//! address or of the name of the service.

use secrecy::{ExposeSecret, SecretString};
use staymesh_domain::FieldError;
use unicode_normalization::UnicodeNormalization;

/// Characters of a password.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=128;
/// Common passwords and the words that they are built from, one a line, in small letters. Those that are shorter than a
/// password are refused with digits or signs around them.
const COMMON: &str = include_str!("common_passwords.txt");
/// Rows of keyboards, and the alphabet and the digits in order.
const ROWS: [&str; 9] = [
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "1qaz2wsx3edc4rfv5tgb",
    "abcdefghijklmnopqrstuvwxyz",
    "12345678901234567890",
];
/// The name of the service.
const SERVICE: &str = "staymesh";
/// Characters that a password must have beside a word of its context.
const OWN_CHARACTERS: usize = 4;
/// Fewest characters of a word of the context; shorter ones are in too many good passwords.
const SHORTEST_WORD: usize = 4;
/// Fewest different characters of a password.
const FEWEST_DIFFERENT: usize = 4;

/// Parses the password of a new account: 8 to 128 characters that are not easily guessed. [`refuse_context`] compares it with
/// the person.
///
/// # Errors
/// Names `password`.
pub(crate) fn parse_new(text: String) -> Result<SecretString, FieldError> {
    // Wiped from memory when dropped.
    let given = SecretString::from(text);
    let text = parse(given.expose_secret())?;
    if text.chars().count() < *LENGTHS.start() {
        return Err(FieldError::new("password", "must have 8 to 128 characters"));
    }
    if text.chars().all(char::is_whitespace) {
        return Err(FieldError::new("password", "must not be blank"));
    }
    let lower = text.to_lowercase();
    if is_common(&lower) || is_made_of(&lower, SERVICE) {
        return Err(FieldError::new("password", "is too common: choose one that others do not use"));
    }
    Ok(text.into())
}

/// Parses the password of a login: 1 to 128 characters. A password that [`parse_new`] would refuse is only wrong, not
/// invalid; a longer one is not hashed.
///
/// # Errors
/// Names `password`.
pub(crate) fn parse_given(text: String) -> Result<SecretString, FieldError> {
    let given = SecretString::from(text);
    parse(given.expose_secret()).map(Into::into)
}

/// Refuses a new password that consists of words about its person: the address and the name.
///
/// # Errors
/// Names `password`.
pub(crate) fn refuse_context(password: &SecretString, email: &str, display_name: &str) -> Result<(), FieldError> {
    let password = password.expose_secret().to_lowercase();
    let about: String = [email, display_name].join(" ").nfkc().collect::<String>().to_lowercase();
    let address = about.split(' ').next().unwrap_or_default();
    let local = address.split('@').next().unwrap_or_default();
    let words = about.split(|c: char| !c.is_alphanumeric());
    if words.chain([local, address]).any(|word| is_made_of(&password, word)) {
        return Err(FieldError::new("password", "must not consist of your name or address"));
    }
    Ok(())
}

/// Normalizes a password. Long input is refused before, because it grows at most eighteenfold.
fn parse(text: &str) -> Result<String, FieldError> {
    if text.is_empty() {
        return Err(FieldError::new("password", "is required"));
    }
    let too_long = || FieldError::new("password", "must have at most 128 characters");
    if text.len() > LENGTHS.end() * 16 {
        return Err(too_long());
    }
    let text: String = text.nfkc().collect();
    if text.chars().count() > *LENGTHS.end() { Err(too_long()) } else { Ok(text) }
}

/// Whether a password in small letters is common, a sequence or a repetition.
fn is_common(password: &str) -> bool {
    let core = password.trim_matches(|c: char| !c.is_alphabetic());
    let listed = |word: &str| !word.is_empty() && COMMON.lines().any(|common| common == word);
    let mut different: Vec<char> = password.chars().collect();
    different.sort_unstable();
    different.dedup();
    different.len() < FEWEST_DIFFERENT || listed(password) || listed(core) || is_sequence(password) || repeats(password)
}

/// Whether a password is a part of a row, forwards or backwards.
fn is_sequence(password: &str) -> bool {
    let backwards: String = password.chars().rev().collect();
    ROWS.iter().any(|row| row.contains(password) || row.contains(&backwards))
}

/// Whether a password is a common or short word, repeated.
fn repeats(password: &str) -> bool {
    let characters: Vec<char> = password.chars().collect();
    (1..=characters.len() / 2).filter(|unit| characters.len().is_multiple_of(*unit)).any(|unit| {
        let (word, rest) = characters.split_at(unit);
        rest.chunks(unit).all(|chunk| chunk == word)
            && (unit < LENGTHS.start() - OWN_CHARACTERS + 1 || is_common(&word.iter().collect::<String>()))
    })
}

/// Whether a password has fewer than four characters beside this word.
fn is_made_of(password: &str, word: &str) -> bool {
    if word.chars().count() < SHORTEST_WORD || !password.contains(word) {
        return false;
    }
    let own = password.replace(word, "");
    own.chars().filter(|c| c.is_alphabetic()).count() < OWN_CHARACTERS
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn password_length_is_counted_in_characters() {
        assert!(parse_new("éaöuñîßø".repeat(16)).is_ok());
        for text in ["", "1x4z5q7", &"x".repeat(129), &"éaö".repeat(2)] {
            assert_eq!(parse_new(text.to_owned()).unwrap_err().field, "password");
        }
        assert!(parse_given("short".to_owned()).is_ok());
        assert!(parse_given(String::new()).is_err());
        assert!(parse_given("x".repeat(129)).is_err());
        assert!(parse_given("x".repeat(1_000_000)).is_err());
    }

    #[test]
    fn equal_passwords_in_other_forms_are_one() {
        let exposed = |text: &str| parse_new(text.to_owned()).unwrap().expose_secret().to_owned();
        assert_eq!(exposed("cafe\u{301} ole\u{301} 17"), exposed("café olé 17"));
        assert_eq!(exposed("ｃｏｒｒｅｃｔ horse"), exposed("correct horse"));
        // Eight bytes of decomposed letters are four characters.
        assert!(parse_new("e\u{301}a\u{301}o\u{301}u\u{301}".to_owned()).is_err());
    }

    #[rstest]
    #[case("password")]
    #[case("Password1!")]
    #[case("12345678")]
    #[case("0987654321")]
    #[case("qwertyuiop")]
    #[case("aaaaaaaa")]
    #[case("abababab")]
    #[case("abcdefgh")]
    #[case("        ")]
    #[case("\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}")]
    #[case("summer2026")]
    #[case("StayMesh1")]
    #[case("staymeshstaymesh")]
    #[case("hunter2hunter2")]
    fn common_password_is_refused(#[case] text: &str) {
        assert_eq!(parse_new(text.to_owned()).unwrap_err().field, "password", "{text}");
    }

    #[rstest]
    #[case("correct horse battery")]
    #[case("a password of theirs")]
    #[case("tr0ub4dor&3")]
    #[case("summer in Lisbon 7")]
    #[case("møøse-bites")]
    fn uncommon_password_is_taken(#[case] text: &str) {
        assert!(parse_new(text.to_owned()).is_ok(), "{text}");
    }

    #[rstest]
    #[case("lovelace1815", true)]
    #[case("ada.lovelace", true)]
    #[case("ADALOVELACE!", true)]
    #[case("ada.lovelace@example.com", true)]
    #[case("Ada.Lovelace@example.com1", true)]
    #[case("lovelace met babbage", false)]
    #[case("unrelated words", false)]
    fn password_made_of_the_person_is_refused(#[case] password: &str, #[case] refused: bool) {
        let outcome = refuse_context(&password.to_owned().into(), "ada.lovelace@example.com", "Ada Lovelace");
        assert_eq!(outcome.is_err(), refused, "{password}");
    }

    #[test]
    fn list_is_in_small_letters_without_duplicates() {
        let mut words: Vec<_> = COMMON.lines().collect();
        assert!(
            words.iter().all(|word| !word.is_empty() && word.to_lowercase() == *word && word.nfkc().eq(word.chars()))
        );
        words.sort_unstable();
        let count = words.len();
        words.dedup();
        assert_eq!(words.len(), count);
    }
}
