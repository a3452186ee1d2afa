use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn line(text: &str) -> Result<String, TextError> {
    Text::line(text, 1..=20).map(Text::into_string)
}

fn key(text: &str) -> String {
    Text::line(text, 1..=20).expect("a valid text").key()
}

#[rstest]
#[case("12A")]
#[case("Zoë")]
#[case("Ångström")]
#[case("名前")]
#[case("שלום\u{200f}")]
#[case("می\u{200c}خواهم")]
#[case("👩\u{200d}🚀")]
#[case("❤\u{fe0f}")]
#[case("葛\u{e0100}城")]
fn line_takes_every_script(#[case] text: &str) {
    assert_eq!(line(text), Ok(text.to_owned()));
}

#[rstest]
#[case("", TextError::Missing(1, 20))]
#[case(" \t\n\u{a0}\u{3000}", TextError::Missing(1, 20))]
#[case("\u{200b}\u{200b}", TextError::Character('\u{200b}'))]
#[case("\u{200c}\u{200d}", TextError::Invisible)]
#[case("\u{200e} \u{fe0f}", TextError::Invisible)]
#[case("\u{301}", TextError::Invisible)]
#[case("\u{2800}", TextError::Invisible)]
#[case("\u{3164}", TextError::Character('\u{3164}'))]
#[case("\u{feff}a", TextError::Character('\u{feff}'))]
#[case("a\u{ad}b", TextError::Character('\u{ad}'))]
#[case("a\u{202e}b", TextError::Character('\u{202e}'))]
#[case("a\u{2066}b", TextError::Character('\u{2066}'))]
#[case("a\u{e0041}b", TextError::Character('\u{e0041}'))]
#[case("a\0b", TextError::Character('\0'))]
#[case("a\nb", TextError::Character('\n'))]
#[case("a\u{85}b", TextError::Character('\u{85}'))]
#[case("a\u{2028}b", TextError::Character('\u{2028}'))]
#[case("a\u{e000}b", TextError::Character('\u{e000}'))]
#[case("a\u{ffff}b", TextError::Character('\u{ffff}'))]
#[case("aaaaaaaaaaaaaaaaaaaaa", TextError::Length(1, 20))]
fn line_refuses_what_is_invisible_or_too_long(#[case] text: &str, #[case] expected: TextError) {
    assert_eq!(line(text), Err(expected));
}

#[test]
fn length_is_counted_in_code_points_of_the_composed_form() {
    assert_eq!(line(&"e\u{301}".repeat(20)), Ok("é".repeat(20)));
    assert_eq!(line(&"e\u{301}".repeat(21)), Err(TextError::Length(1, 20)));
    assert_eq!(line(&format!("  {}  ", "é".repeat(20))), Ok("é".repeat(20)));
    assert_eq!(Text::line(&"x".repeat(1_000_000), 0..=20), Err(TextError::Length(0, 20)));
}

#[test]
fn optional_text_may_be_empty_but_not_invisible() {
    assert_eq!(Text::line("  ", 0..=20).map(Text::into_string), Ok(String::new()));
    assert_eq!(Text::line("\u{200d}", 0..=20), Err(TextError::Invisible));
}

#[test]
fn prose_takes_line_breaks_and_tabs() {
    assert_eq!(
        Text::prose("two\r\nlines\tand a tab\n", 0..=100).map(Text::into_string).as_deref(),
        Ok("two\r\nlines\tand a tab")
    );
    assert_eq!(Text::prose("nul\0", 0..=100), Err(TextError::Character('\0')));
}

#[test]
fn debug_hides_the_text() {
    assert_eq!(format!("{:?}", Text::line("Ada", 1..=20)), "Ok(Text(3 characters))");
}

#[test]
fn message_names_the_character_and_never_repeats_the_text() {
    let error = Text::line("secret\u{202e}", 1..=20).unwrap_err();
    assert_eq!(error.at("name").to_string(), "name: must not contain the invisible character U+202E");
    assert_eq!(TextError::Missing(1, 20).to_string(), "is required; 1 to 20 characters");
    assert_eq!(TextError::Length(0, 20).to_string(), "must have at most 20 characters");
    assert_eq!(TextError::Character('\n').to_string(), "must not contain the control character U+000A");
}

#[rstest]
#[case("12A", "12a")]
#[case("12A", "１２Ａ")]
#[case("12A", "12\u{200d}a")]
#[case("É", "e\u{301}")]
#[case("ÉTAGE", "étage")]
#[case("ﬁn", "FIN")]
#[case("ΟΔΌΣ", "οδός")]
#[case("a b", "A\u{a0}B")]
fn key_is_equal_for_texts_that_people_take_for_the_same(#[case] one: &str, #[case] other: &str) {
    assert_eq!(key(one), key(other));
}

#[test]
fn key_differs_for_different_texts() {
    assert_ne!(key("12A"), key("12B"));
    assert_ne!(key("e"), key("é"));
}

proptest! {
    #[test]
    fn parsed_text_is_normal_bounded_and_visible(text in "(?s).{0,40}") {
        if let Ok(parsed) = Text::prose(&text, 1..=30) {
            let text = parsed.as_str();
            prop_assert!(unicode_normalization::is_nfc(text) && text.trim() == text);
            prop_assert!((1..=30).contains(&text.chars().count()) && text.chars().any(is_visible));
            // Parsing and the key are idempotent.
            prop_assert_eq!(&Text::prose(text, 1..=30), &Ok(parsed.clone()));
        }
    }

    #[test]
    fn composed_and_decomposed_texts_are_the_same_text(text in "\\w{1,10}") {
        let decomposed: String = text.nfd().collect();
        prop_assert_eq!(Text::line(&text, 1..=40), Text::line(&decomposed, 1..=40));
    }
}
