//! `FindReservations`: what staff look for.

use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{FieldErrors, HotelId, Page, Text};
use staymesh_mesh::Caller;
use tonic::Status;
use uuid::Uuid;

use super::{front_desk::FrontDeskHandler, request::refuse, response};
use crate::{
    error::ReservationError,
    store::{FindFilter, ListPosition},
};

/// Longest text to find, in characters.
const MAX_TEXT: usize = 100;
/// Most words, which is what a client reference of an id and a prefix has.
const MAX_WORDS: usize = 8;
/// Fewest characters of an id that are its beginning.
const MIN_ID: usize = 8;

impl FrontDeskHandler {
    pub(super) async fn find(
        &self,
        caller: &Caller,
        request: proto::FindReservationsRequest,
    ) -> Result<proto::FindReservationsResponse, Status> {
        caller.require_hotel_field(request.hotel_id)?;
        let mut errors = FieldErrors::default();
        let hotel_id = errors.value(HotelId::try_from(request.hotel_id));
        let text = errors.value(Text::line(&request.text, 2..=MAX_TEXT).map_err(|error| error.at("text")));
        errors.holds(
            text.is_none() || says_enough(&request.text),
            "text",
            "must have a word of three characters, or words of two; at most 8 words",
        );
        let bound = ["find".to_owned(), request.hotel_id.to_string(), request.text];
        let bound = bound.each_ref().map(String::as_str);
        let page = Page::<ListPosition>::collect(&mut errors, request.page_size, &request.page_token, &bound);
        let ((hotel_id, text), page) = errors.complete(hotel_id.zip(text).zip(page)).map_err(refuse)?;
        let filter = filter(text);
        let rows = self.0.find_reservations(hotel_id, &filter, page.after, page.size.limit()).await?;
        let shown = |row| Ok::<_, ReservationError>((ListPosition::of(&row), response::reservation(row)?));
        let rows = rows.into_iter().map(shown).collect::<Result<Vec<_>, _>>()?;
        let most = response::fitting(rows.iter().map(|(_, reservation)| reservation));
        let (rows, next_page_token) = page.cut_to(most, rows, |(position, _)| *position);
        let reservations = rows.into_iter().map(|(_, reservation)| reservation).collect();
        Ok(proto::FindReservationsResponse { reservations, next_page_token })
    }
}

/// Whether the words of a text select few enough: each has two characters, or one has three. An address is one beginning.
fn says_enough(text: &str) -> bool {
    if text.contains('@') {
        return text.chars().count() >= 5;
    }
    let lengths =
        text.split(|c: char| !c.is_alphanumeric()).map(|word| word.chars().count()).filter(|length| *length > 0);
    let lengths: Vec<_> = lengths.collect();
    lengths.len() <= MAX_WORDS
        && (lengths.iter().all(|length| *length >= 2) || lengths.iter().any(|length| *length >= 3))
}

/// The beginning of an id is a range of ids; every other text is of a guest.
fn filter(text: Text) -> FindFilter {
    let digits: String = text.as_str().chars().filter(|c| *c != '-').collect();
    let is_id = (MIN_ID..=32).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit());
    let end = |fill: &str| Uuid::try_parse(&(digits.clone() + &fill.repeat(32_usize.saturating_sub(digits.len()))));
    match (end("0"), end("f")) {
        (Ok(first), Ok(last)) if is_id => FindFilter::Ids(first, last),
        _ => FindFilter::Guest(text.into_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_of_an_id_is_a_range_and_a_name_is_a_name() {
        let find = |text: &str| filter(Text::line(text, 2..=100).expect("a text"));
        let FindFilter::Ids(first, last) = find("01a20117-04") else { panic!("an id") };
        assert_eq!(first.to_string(), "01a20117-0400-0000-0000-000000000000");
        assert_eq!(last.to_string(), "01a20117-04ff-ffff-ffff-ffffffffffff");
        for name in ["Ada", "facade", "0123456", "a@b", "01a20117-0477-8fc8-b07f-612c773594000"] {
            assert!(matches!(find(name), FindFilter::Guest(_)), "{name}");
        }
    }

    #[test]
    fn text_says_enough_with_a_word_of_three_characters_or_words_of_two() {
        for text in ["lu", "O'Neil", "Zoë Łukasz-Große", "a@b.pt", "web-01a20117-0477-8fc8-b07f-612c77359400"] {
            assert!(says_enough(text), "{text}");
        }
        for text in ["a b", "li x", "aa bb cc dd ee ff gg hh ii"] {
            assert!(!says_enough(text), "{text}");
        }
    }
}
