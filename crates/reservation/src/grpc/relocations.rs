//! Messages of nights with relocations due.

use jiff::civil::Date;
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{DateRange, FieldErrors, HotelId, Page, format_date};

use super::nights_request::listed_nights;
use crate::store::RelocationsDue;

/// A page of nights, by date and room type.
type NightPage = Page<(Date, i32)>;

/// Parses which nights to list, and which page of them.
///
/// # Errors
/// Every invalid field.
pub(super) fn list(message: &proto::ListRelocationsDueRequest) -> Result<(HotelId, DateRange, NightPage), FieldErrors> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    let nights = listed_nights(&mut errors, &message.from_date, &message.until_date);
    let filters = nights.map(|nights| format!("{} {} {}", message.hotel_id, nights.from(), nights.until()));
    let filters = ["relocations_due", &filters.unwrap_or_default()];
    let page = NightPage::collect(&mut errors, message.page_size, &message.page_token, &filters);
    // Page tokens are not signed: a forged one must not reach the database with a date outside the range.
    let after = page.as_ref().and_then(|page| page.after);
    if let Some((nights, (date, _))) = nights.zip(after) {
        errors.holds(nights.contains(date), "page_token", "is not one of this list");
    }
    let (hotel_id, (nights, page)) = errors.complete(hotel_id.zip(nights.zip(page)))?;
    Ok((hotel_id, nights, page))
}

/// A night with relocations due.
pub(super) fn message(due: &RelocationsDue) -> proto::RelocationsDue {
    let night = &due.night;
    proto::RelocationsDue {
        room_type_id: due.room_type_id.get(),
        stay_date: format_date(night.stay_date),
        total_inventory: night.total_inventory,
        out_of_order: night.out_of_order,
        total_reserved: night.total_reserved,
        relocations_due: night.relocations_due(),
    }
}
