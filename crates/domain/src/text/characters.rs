//! Which characters texts may have.
//!
//! The Unicode properties are those of ICU4X (`icu_properties`, by the Unicode Consortium), which normalizes domain names
//! as well: it is the one crate here with both `General_Category` and `Default_Ignorable_Code_Point`.

use icu_properties::{
    CodePointMapData, CodePointSetData,
    props::{DefaultIgnorableCodePoint, GeneralCategory as Category},
};

/// Joiners, directional marks and variation selectors: invisible, but writing systems need them (Persian and Indic
/// ligatures, mixed directions, forms of ideographs, emoji). They are allowed, and ignored in comparisons.
pub(super) const fn is_ignored(c: char) -> bool {
    matches!(
        c,
        '\u{200c}'..='\u{200f}'
            | '\u{61c}'
            | '\u{180b}'..='\u{180d}'
            | '\u{180f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Whether one line of text may have this character.
pub(super) fn is_of_a_line(c: char) -> bool {
    is_ignored(c) || !(is_without_meaning(c) || is_default_ignorable(c))
}

/// Whether the character shows something by itself: no white space, no mark, and nothing invisible.
pub(crate) fn is_visible(c: char) -> bool {
    // BRAILLE PATTERN BLANK is a symbol without a dot.
    let shows = !c.is_whitespace() && c != '\u{2800}' && !is_default_ignorable(c) && !is_without_meaning(c);
    shows && !matches!(category(c), Category::NonspacingMark | Category::EnclosingMark | Category::SpacingMark)
}

/// What a refused character is called in a message.
pub(super) fn kind(c: char) -> &'static str {
    match category(c) {
        Category::Control | Category::LineSeparator | Category::ParagraphSeparator => "control character",
        Category::Unassigned | Category::PrivateUse | Category::Surrogate => "unassigned character",
        _ => "invisible character",
    }
}

/// Control and format characters, separators of lines, and code points that are no characters.
fn is_without_meaning(c: char) -> bool {
    matches!(
        category(c),
        Category::Control
            | Category::Format
            | Category::Unassigned
            | Category::PrivateUse
            | Category::Surrogate
            | Category::LineSeparator
            | Category::ParagraphSeparator
    )
}

fn is_default_ignorable(c: char) -> bool {
    CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

fn category(c: char) -> Category {
    CodePointMapData::<Category>::new().get(c)
}
