use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn parse(text: &str) -> Result<String, EmailError> {
    Email::parse(text).map(|email| email.as_written().to_owned())
}

#[rstest]
#[case("a@b.c")]
#[case("First.Last+tag@sub.example.co.uk")]
#[case("o'brien@example.org")]
#[case("x@xn--bcher-kva.example")]
#[case("dörte@example.org")]
#[case("用户@example.com")]
#[case("_@example.com")]
fn usual_addresses_are_kept_as_written(#[case] text: &str) {
    assert_eq!(parse(text), Ok(text.to_owned()));
    assert_eq!(parse(&format!(" \t{text}\n")), Ok(text.to_owned()));
}

#[rstest]
#[case("Ada@Example.ORG", "Ada@example.org")]
#[case("a@Bücher.example", "a@xn--bcher-kva.example")]
#[case("a@例え.jp", "a@xn--r8jz45g.jp")]
#[case("do\u{308}rte@example.org", "dörte@example.org")]
#[case("a@ｅxample.org", "a@example.org")]
fn domain_is_in_ascii_and_local_part_composed(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(parse(text).as_deref(), Ok(expected));
}

#[rstest]
#[case("a@b.example,c@d.example")]
#[case("a@b.example;c@d.example")]
#[case("a@b.example c@d.example")]
#[case("<a@b.example>")]
#[case("Ada <a@b.example>")]
#[case("mailto:a@b.example")]
#[case("a@.")]
#[case("a")]
#[case("@")]
#[case("a@")]
#[case("@b.c")]
#[case("a@b")]
#[case("a@b.")]
#[case("a@.b")]
#[case("a b@c.d")]
#[case("a@b .c")]
#[case("a@b@c.d")]
#[case("a\u{ff20}b@c.d")]
#[case("a@b..c")]
#[case(".a@b.c")]
#[case("a.@b.c")]
#[case("a..b@c.d")]
#[case("a@-b.c")]
#[case("a@b-.c")]
#[case("a@b_c.d")]
#[case("a@b,c.d")]
#[case("a@[127.0.0.1]")]
#[case("\"a\"@b.c")]
#[case("\"a b\"@b.c")]
#[case("a(comment)@b.c")]
#[case("a\0@b.c")]
#[case("a\n@b.c")]
#[case("a@b.c\r\nBcc: d@e.f")]
#[case("a\u{a0}@b.c")]
#[case("a\u{200b}b@c.d")]
#[case("a\u{200d}b@c.d")]
#[case("a\u{202e}b@c.d")]
#[case("a\u{e000}b@c.d")]
#[case("ａda@c.d")]
#[case("ﬁ@c.d")]
#[case("a@xn--zzzzzzzz.example")]
#[case("a@exa\u{202e}mple.org")]
fn what_is_no_single_address_is_refused(#[case] text: &str) {
    assert_eq!(parse(text), Err(EmailError::Form));
}

#[test]
fn length_is_bounded() {
    assert_eq!(parse(" "), Err(EmailError::Missing));
    let domain = |length: usize| format!("{}c", "a.".repeat(length / 2));
    assert_eq!(parse(&format!("ab@{}", domain(250))).map(|address| address.len()), Ok(254));
    assert_eq!(parse(&format!("abc@{}", domain(250))), Err(EmailError::TooLong));
    // An ASCII form longer than what was written: 5 labels of 30 letters become about 5 of 60.
    assert!(parse(&format!("{}@{}c", "ö".repeat(32), "öäüß".repeat(8) + ".")).is_ok());
    assert_eq!(parse(&format!("{}@example.com", "a".repeat(64))).map(|address| address.len()), Ok(76));
    assert_eq!(parse(&format!("{}@example.com", "a".repeat(65))), Err(EmailError::Form));
    assert_eq!(parse(&"a@".repeat(1_000_000)), Err(EmailError::TooLong));
}

#[test]
fn error_names_the_field() {
    assert_eq!(FieldError::from(EmailError::Form).field, "email");
    assert_eq!(EmailError::Form.at("primary_guest.email").field, "primary_guest.email");
}

#[test]
fn debug_hides_the_address() {
    assert!(!format!("{:?}", Email::parse("ada@example.com").unwrap()).contains("ada"));
}

#[rstest]
#[case("ADA@example.org", "ada@EXAMPLE.org")]
#[case("DÖRTE@example.org", "dörte@example.org")]
#[case("do\u{308}rte@example.org", "Dörte@example.org")]
#[case("a@bücher.example", "A@XN--BCHER-KVA.example")]
#[case("mi\u{212a}e@example.org", "mike@example.org")]
fn spellings_of_one_address_are_equal(#[case] one: &str, #[case] other: &str) {
    let (one, other) = (Email::parse(one).unwrap(), Email::parse(other).unwrap());
    assert_eq!(one, other);
    assert_eq!(one.as_str(), other.as_str());
}

#[test]
fn dotless_i_is_another_address() {
    assert_ne!(Email::parse("m\u{131}ke@example.org").unwrap(), Email::parse("mike@example.org").unwrap());
}

proptest! {
    #[test]
    fn ascii_addresses_are_equal_in_every_case(text in "[a-zA-Z0-9+_]{1,20}@[a-zA-Z0-9]{1,10}\\.[a-zA-Z]{2,6}") {
        let email = Email::parse(&text).unwrap();
        prop_assert_eq!(email.as_str(), text.to_lowercase());
        prop_assert_eq!(&email, &Email::parse(&text.to_uppercase()).unwrap());
    }

    #[test]
    fn whatever_is_taken_is_one_address(text in "\\PC{0,20}@\\PC{0,20}|[a-zà-ÿ.@,<>;\" -]{0,20}") {
        if let Ok(email) = Email::parse(&text) {
            let written = email.as_written();
            prop_assert!(written.chars().count() <= 254 && written.matches('@').count() == 1);
            prop_assert!(!written.contains(|c: char| c.is_whitespace() || c.is_control() || ",;<>\"".contains(c)));
            // Both forms are the same address, and normal forms stay as they are.
            prop_assert_eq!(&Email::parse(written).unwrap(), &email);
            let normal = Email::parse(email.as_str()).unwrap();
            prop_assert_eq!((normal.as_str(), normal.as_written()), (email.as_str(), email.as_str()));
        }
    }
}

#[test]
fn local_part_whose_small_letters_are_too_long_is_refused() {
    // Each letter has two bytes, and three as a small one.
    assert_eq!(Email::parse(&format!("{}@org.example", "\u{23A}".repeat(32))), Err(EmailError::Form));
    assert!(Email::parse(&format!("{}@org.example", "\u{23A}".repeat(21))).is_ok());
}
