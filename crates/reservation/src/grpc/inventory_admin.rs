//! `InventoryAdminService`: how hotel staff put nights on sale.

use std::sync::Arc;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
};
use staymesh_api::reservation::v1::{self as proto, inventory_admin_service_server::InventoryAdminService};
use staymesh_domain::{
    DateRange, FieldError, FieldErrors, HotelId, Page, RoomTypeId, Weekdays, format_date, parse_date,
};
use staymesh_mesh::{Caller, Problem};
use tonic::{Request, Response, Status};

use super::{request::refuse, response};
use crate::{
    calendar::{HORIZON_DAYS, today},
    service::BookingService,
    store::InventoryChange,
};

/// Most rooms on sale in one night.
const MAX_INVENTORY: i32 = 10_000;
/// Most changes of one bulk request.
const MAX_CHANGES: usize = 100;
/// How far ahead nights may be set, in days. Each month is a partition, and the daily job continues after the last.
const MAX_DAYS_AHEAD: i64 = 1_100;

/// Handles `InventoryAdminService`.
pub(crate) struct InventoryAdminHandler(pub(crate) Arc<BookingService>);

#[tonic::async_trait]
impl InventoryAdminService for InventoryAdminHandler {
    async fn set_inventory(
        &self,
        request: Request<proto::SetInventoryRequest>,
    ) -> Result<Response<proto::SetInventoryResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let message = request.into_inner();
        let mut errors = FieldErrors::default();
        let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
        let now = Timestamp::now();
        let change = inventory_change(&mut errors, &message, now);
        let (hotel_id, change) = errors.complete(hotel_id.zip(change)).map_err(refuse)?;
        let past = self.0.past_changes(hotel_id, std::slice::from_ref(&change), now).await?;
        refuse_past(past.iter().map(|_| "from_date".to_owned())).map_err(refuse)?;
        let set = self.0.set_inventory(hotel_id, &[change]).await?;
        let nights = night_count(set.nights)?;
        let etag = set.etags.into_iter().map(|(_, etag)| etag).collect();
        Ok(Response::new(proto::SetInventoryResponse { nights, etag }))
    }

    async fn bulk_set_inventory(
        &self,
        request: Request<proto::BulkSetInventoryRequest>,
    ) -> Result<Response<proto::BulkSetInventoryResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let message = request.into_inner();
        let now = Timestamp::now();
        let (hotel_id, changes) = bulk(&message, now).map_err(refuse)?;
        let past = self.0.past_changes(hotel_id, &changes, now).await?;
        refuse_past(past.iter().map(|at| format!("changes[{at}].from_date"))).map_err(refuse)?;
        let set = self.0.set_inventory(hotel_id, &changes).await?;
        let etag = |(id, etag): (RoomTypeId, String)| proto::InventoryEtag { room_type_id: id.get(), etag };
        let nights = night_count(set.nights)?;
        Ok(Response::new(proto::BulkSetInventoryResponse { nights, etags: set.etags.into_iter().map(etag).collect() }))
    }

    async fn list_inventory(
        &self,
        request: Request<proto::ListInventoryRequest>,
    ) -> Result<Response<proto::ListInventoryResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let message = request.into_inner();
        let (hotel_id, room_type_id, nights, page) = inventory_list(&message).map_err(refuse)?;
        let (rows, etag) = self.0.list_inventory(hotel_id, room_type_id, nights, page.after, page.size.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |night| night.stay_date);
        let nights = rows.iter().map(response::inventory_night).collect();
        Ok(Response::new(proto::ListInventoryResponse { nights, next_page_token, etag }))
    }
}

/// Parses the changes of a bulk request.
///
/// # Errors
/// Every invalid field.
fn bulk(
    message: &proto::BulkSetInventoryRequest,
    now: Timestamp,
) -> Result<(HotelId, Vec<InventoryChange>), FieldErrors> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    errors.holds((1..=MAX_CHANGES).contains(&message.changes.len()), "changes", format!("must be 1 to {MAX_CHANGES}"));
    let mut changes = Vec::new();
    for (at, change) in message.changes.iter().enumerate().take(MAX_CHANGES) {
        let mut of_change = FieldErrors::default();
        let same = change.hotel_id == 0 || change.hotel_id == message.hotel_id;
        of_change.holds(same, "hotel_id", "must be that of the request, or not set");
        changes.extend(inventory_change(&mut of_change, change, now));
        errors.extend_under(&format!("changes[{at}]"), of_change);
    }
    errors.complete(hotel_id.map(|hotel_id| (hotel_id, changes)))
}

/// Parses a change of inventory.
fn inventory_change(
    errors: &mut FieldErrors,
    message: &proto::SetInventoryRequest,
    now: Timestamp,
) -> Option<InventoryChange> {
    let room_type_id = errors.value(RoomTypeId::try_from(message.room_type_id));
    let range = DateRange::collect(errors, &message.from_date, &message.until_date);
    let range = range.filter(|range| require_sellable(errors, *range, now));
    let weekdays = weekdays(errors, &message.weekdays);
    // No default: a request without it would close the nights.
    errors.holds(message.total_inventory.is_some(), "total_inventory", "is required");
    if let Some(rooms) = message.total_inventory {
        errors.range("total_inventory", rooms, 0, MAX_INVENTORY);
    }
    let overbooking_percent = match message.overbooking_percent {
        None => None,
        Some(percent) => {
            let valid = i16::try_from(percent).ok().filter(|percent| (0..=100).contains(percent));
            errors.holds(valid.is_some(), "overbooking_percent", format!("must be from 0 to 100, not {percent}"));
            valid
        }
    };
    Some(InventoryChange {
        room_type_id: room_type_id?,
        nights: range?.on(weekdays?),
        total_inventory: message.total_inventory?,
        overbooking_percent,
        for_future_nights: message.for_future_nights,
        etag: message.etag.clone(),
    })
}

/// Which nights to list, and which page of them.
///
/// # Errors
/// Every invalid field.
fn inventory_list(
    message: &proto::ListInventoryRequest,
) -> Result<(HotelId, RoomTypeId, DateRange, Page<Date>), FieldErrors> {
    let mut errors = FieldErrors::default();
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    let room_type_id = errors.value(RoomTypeId::try_from(message.room_type_id));
    let nights = listed_nights(&mut errors, &message.from_date, &message.until_date);
    let (from, until) =
        nights.map(|nights| (nights.from().to_string(), nights.until().to_string())).unwrap_or_default();
    let filters = [&*message.hotel_id.to_string(), &*message.room_type_id.to_string(), &*from, &*until];
    let page = Page::<Date>::collect(&mut errors, message.page_size, &message.page_token, &filters);
    // Page tokens are not signed: a forged one must not reach the database with a date outside the range.
    let after = page.as_ref().and_then(|page| page.after);
    if let Some((nights, after)) = nights.zip(after) {
        errors.holds(nights.contains(after), "page_token", "is not one of this list");
    }
    let ((hotel_id, room_type_id), (nights, page)) =
        errors.complete(hotel_id.zip(room_type_id).zip(nights.zip(page)))?;
    Ok((hotel_id, room_type_id, nights, page))
}

/// Refuses changes that begin before today at the hotel, in these fields.
fn refuse_past(fields: impl Iterator<Item = String>) -> Result<(), FieldErrors> {
    let mut errors = FieldErrors::default();
    fields.for_each(|field| errors.holds(false, field, "must not be in the past"));
    errors.into_result()
}

/// Refuses nights that are past at every hotel, and nights so far ahead that they must be a mistake.
fn require_sellable(errors: &mut FieldErrors, nights: DateRange, now: Timestamp) -> bool {
    let today = today(now);
    let (from, until) = (nights.from() >= today, nights.until() <= today.saturating_add(MAX_DAYS_AHEAD.days()));
    errors.holds(from, "from_date", "must not be in the past");
    errors.holds(until, "until_date", format!("must be at most {MAX_DAYS_AHEAD} days from today"));
    from && until
}

/// The number of nights in a response. A request cannot name more than an `i32` counts.
fn night_count(nights: usize) -> Result<i32, Status> {
    i32::try_from(nights).map_err(|error| refuse(Problem::internal(&error)))
}

fn weekdays(errors: &mut FieldErrors, days: &[i32]) -> Option<Weekdays> {
    let weekday = |day: &i32| i8::try_from(*day).ok().and_then(|day| Weekday::from_monday_one_offset(day).ok());
    let known: Option<Vec<_>> = days.iter().map(weekday).collect();
    errors.holds(known.is_some(), "weekdays", "must be 1 (Monday) to 7 (Sunday)");
    known.map(Weekdays::new)
}

/// The nights to list: from today up to the horizon by default.
fn listed_nights(errors: &mut FieldErrors, from: &str, until: &str) -> Option<DateRange> {
    let today = today(Timestamp::now());
    if !until.is_empty() {
        let first = format_date(today);
        return DateRange::collect(errors, if from.is_empty() { &first } else { from }, until);
    }
    let from = if from.is_empty() { Some(today) } else { date(errors, from) }?;
    let range = DateRange::new(from, from.saturating_add(HORIZON_DAYS.days()));
    errors.value(range.map_err(|error| error.at("from_date", "until_date")))
}

fn date(errors: &mut FieldErrors, from: &str) -> Option<Date> {
    errors.value(parse_date(from).map_err(|error| FieldError::new("from_date", error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventory_of_past_or_far_future_nights_is_refused() {
        let now: Timestamp = "2026-11-22T18:00:00Z".parse().expect("a time");
        let refused = |from: &str, until: &str| {
            let range = DateRange::parse(from, until).expect("a range");
            let mut errors = FieldErrors::default();
            let sellable = require_sellable(&mut errors, range, now);
            assert_eq!(sellable, errors.is_empty());
            errors.into_iter().map(|error| error.field).collect::<Vec<_>>()
        };
        assert_eq!(refused("2026-11-22", "2026-11-23"), [""; 0]);
        assert_eq!(refused("2026-11-20", "2026-11-23"), ["from_date"]);
        assert_eq!(refused("2001-01-01", "2001-01-02"), ["from_date"]);
        assert_eq!(refused("2026-12-01", "2029-11-26"), [""; 0]);
        assert_eq!(refused("2026-12-01", "2029-11-27"), ["until_date"]);
        assert_eq!(refused("2150-01-01", "2150-01-02"), ["until_date"]);
    }
}
