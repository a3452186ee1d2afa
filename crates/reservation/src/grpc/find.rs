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
}
