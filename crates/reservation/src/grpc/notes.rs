//! Notes of staff about reservations.

use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{FieldErrors, Page, Text, parse_request_id};
use staymesh_mesh::{Caller, proto_types};
use tonic::Status;
use unicode_normalization::UnicodeNormalization;

use super::{
    front_desk::FrontDeskHandler,
    request::{refuse, reservation_id},
};
use crate::store::{Note, NotePosition};

/// Digits of payment cards (ISO/IEC 7812).
const CARD_DIGITS: (usize, usize) = (13, 19);

impl FrontDeskHandler {
    pub(super) async fn create_note(
        &self,
        caller: &Caller,
        request: proto::CreateReservationNoteRequest,
    ) -> Result<proto::ReservationNote, Status> {
        let id = reservation_id(&request.reservation_id)?;
        let mut errors = FieldErrors::default();
        let content = errors.value(Text::prose(&request.content, 1..=2_000).map_err(|error| error.at("content")));
        errors.holds(!has_card_number(&request.content), "content", "must not have the number of a payment card");
        let note_id = errors.value(parse_request_id(&request.request_id));
        let (content, note_id) = errors.complete(content.zip(note_id)).map_err(refuse)?;
        let added = self.0.add_note(caller, id, note_id, content.as_str()).await?;
        Ok(note(added))
    }

    pub(super) async fn notes(
        &self,
        caller: &Caller,
        request: proto::ListReservationNotesRequest,
    ) -> Result<proto::ListReservationNotesResponse, Status> {
        let id = reservation_id(&request.reservation_id)?;
        let mut errors = FieldErrors::default();
        let bound = ["notes", &*request.reservation_id];
        let page = Page::<NotePosition>::collect(&mut errors, request.page_size, &request.page_token, &bound);
        let page = errors.complete(page).map_err(refuse)?;
        let rows = self.0.notes(caller, id, page.after, page.size.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, Note::position);
        Ok(proto::ListReservationNotesResponse { notes: rows.into_iter().map(note).collect(), next_page_token })
    }
}

/// Whether a text has a number of a payment card: 13 to 19 digits of any width that begin as those of card issuers and pass the
/// check of ISO/IEC 7812-1 (Luhn). Between its groups may be anything but letters and what ends a clause; in them it is found anywhere.
fn has_card_number(text: &str) -> bool {
    let (mut digits, mut group) = (Vec::new(), 0);
    let mut after_digit = false;
    for c in text.nfkc().chain(std::iter::once('a')) {
        match c.to_digit(10) {
            Some(digit) => {
                group += usize::from(!after_digit);
                digits.push((group, digit));
            }
            // What ends a clause ends a number.
            None if !c.is_alphanumeric() && !matches!(c, ',' | ';' | ':' | '(') => {}
            None => {
                if digits_have_card_number(&digits) {
                    return true;
                }
                digits.clear();
            }
        }
        after_digit = c.is_ascii_digit();
    }
    false
}

/// Whether digits, each with the number of its group, have the number of a card: of whole groups, or within one.
fn digits_have_card_number(digits: &[(usize, u32)]) -> bool {
    let plain: Vec<_> = digits.iter().map(|(_, digit)| *digit).collect();
    let group = |at: usize| digits.get(at).map(|(group, _)| *group);
    let is_card = |first: usize, end: usize| {
        let begins = first == 0 || group(first - 1) != group(first);
        let ends = group(end - 1) != group(end);
        (begins && ends || group(first) == group(end - 1)) && is_card_number(&plain[first..end])
    };
    (CARD_DIGITS.0..=CARD_DIGITS.1)
        .any(|length| (0..(plain.len() + 1).saturating_sub(length)).any(|first| is_card(first, first + length)))
}

fn is_card_number(digits: &[u32]) -> bool {
    matches!(digits, [2, 2..=7, ..] | [3..=6, ..]) && passes_luhn(digits)
}

fn passes_luhn(digits: &[u32]) -> bool {
    let doubled = |(at, digit): (usize, &u32)| match (at % 2, digit * 2) {
        (0, _) => *digit,
        (_, twice @ 10..) => twice - 9,
        (_, twice) => twice,
    };
    digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

fn note(note: Note) -> proto::ReservationNote {
    proto::ReservationNote {
        note_id: note.note_id.to_string(),
        create_time: Some(proto_types::timestamp(note.create_time())),
        content: note.content,
        actor: note.actor,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_must_not_have_card_numbers_in_any_usual_spelling() {
        for card in [
            "4111111111111111",
            "pays with 4111 1111 1111 1111.",
            "4111-1111-1111-1111",
            "3782 822463 10005",
            "4111.1111.1111.1111",
            "4111\n1111\n1111\n1111",
            "4111/1111/1111/1111 12/27",
            "４１１１ １１１１ １１１１ １１１１",
            "card 41111111111111111227",
        ] {
            assert!(has_card_number(card), "{card}");
        }
        for text in [
            "",
            "Room 204, late arrival 23:30",
            "+351 912 345 678",
            "0000000000000000",
            "4111111111111113",
            "28.11.2026 19:30, +351 912 345 678",
            "+351 912 345 678, 23:30",
            "+34 612 345 678 (room 204): 2 beds",
        ] {
            assert!(!has_card_number(text), "{text}");
        }
    }
}
