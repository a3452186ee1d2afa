//! `InventoryAdminService`: how hotel staff put nights on sale.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan, civil::Date};
use staymesh_api::reservation::v1::{self as proto, inventory_admin_service_server::InventoryAdminService};
use staymesh_domain::{DateRange, FieldError, Page, RoomTypeId, Weekdays, parse_date};
use staymesh_mesh::{Caller, Problem};
use tonic::{Request, Response, Status};

use super::{
    request::{hotel_id, refuse, room_type_id},
    response,
};
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
        let hotel_id = hotel_id(message.hotel_id)?;
        let change = proto::InventoryChange {
            room_type_id: message.room_type_id,
            from_date: message.from_date,
            until_date: message.until_date,
            weekdays: message.weekdays,
            total_inventory: message.total_inventory,
            overbooking_percent: message.overbooking_percent,
            for_future_nights: message.for_future_nights,
            etag: message.etag,
        };
        let change = inventory_change(&change, Timestamp::now()).map_err(refuse)?;
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
        let hotel_id = hotel_id(message.hotel_id)?;
        if message.changes.is_empty() || message.changes.len() > MAX_CHANGES {
            return Err(refuse(FieldError::new("changes", "must be 1 to 100")));
        }
        let now = Timestamp::now();
        let changes = message
            .changes
            .iter()
            .enumerate()
            .map(|(at, change)| inventory_change(change, now).map_err(|error| error.under(&format!("changes[{at}]"))))
            .collect::<Result<Vec<_>, _>>()
            .map_err(refuse)?;
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
        let hotel_id = hotel_id(message.hotel_id)?;
        let room_type_id = room_type_id(message.room_type_id)?;
        let nights = listed_nights(&message.from_date, &message.until_date).map_err(refuse)?;
        let filters =
            [hotel_id.to_string(), room_type_id.to_string(), nights.from().to_string(), nights.until().to_string()];
        let page: Page<Date> =
            Page::parse(message.page_size, &message.page_token, &filters.each_ref().map(String::as_str))
                .map_err(|e| refuse(FieldError::from(e)))?;
        // Page tokens are not signed: a forged one must not reach the database with a date outside the range.
        if page.after.is_some_and(|after| !nights.contains(after)) {
            return Err(refuse(FieldError::new("page_token", "is not one of this list")));
        }
        let (rows, etag) = self.0.list_inventory(hotel_id, room_type_id, nights, page.after, page.size.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |night| night.stay_date);
        let nights = rows.iter().map(response::inventory_night).collect();
        Ok(Response::new(proto::ListInventoryResponse { nights, next_page_token, etag }))
    }
}

/// Parses a change of inventory.
fn inventory_change(message: &proto::InventoryChange, now: Timestamp) -> Result<InventoryChange, FieldError> {
    let room_type_id = RoomTypeId::try_from(message.room_type_id)?;
    let range =
        DateRange::parse(&message.from_date, &message.until_date).map_err(|e| e.at("from_date", "until_date"))?;
    require_sellable(range, now)?;
    let percent = |percent| {
        let percent = i16::try_from(percent).ok().filter(|percent| (0..=100).contains(percent));
        percent.ok_or_else(|| FieldError::new("overbooking_percent", "must be 0 to 100"))
    };
    let overbooking_percent = message.overbooking_percent.map(percent).transpose()?;
    // No default: a request without it would close the nights.
    let total_inventory = message.total_inventory.ok_or_else(|| FieldError::new("total_inventory", "is required"))?;
    if !(0..=MAX_INVENTORY).contains(&total_inventory) {
        return Err(FieldError::new("total_inventory", "must be 0 to 10000"));
    }
    Ok(InventoryChange {
        room_type_id,
        nights: range.on(weekdays(&message.weekdays)?),
        total_inventory,
        overbooking_percent,
        for_future_nights: message.for_future_nights,
        etag: message.etag.clone(),
    })
}

/// Refuses past nights, and nights so far ahead that they must be a mistake.
fn require_sellable(nights: DateRange, now: Timestamp) -> Result<(), FieldError> {
    let today = today(now);
    if nights.from() < today {
        return Err(FieldError::new("from_date", "must not be in the past"));
    }
    if nights.until() > today.saturating_add(MAX_DAYS_AHEAD.days()) {
        return Err(FieldError::new("until_date", format!("must be at most {MAX_DAYS_AHEAD} days from today")));
    }
    Ok(())
}

/// The number of nights in a response. A request cannot name more than an `i32` counts.
fn night_count(nights: usize) -> Result<i32, Status> {
    i32::try_from(nights).map_err(|error| refuse(Problem::internal(&error)))
}

fn weekdays(days: &[i32]) -> Result<Weekdays, FieldError> {
    if days.is_empty() {
        return Ok(Weekdays::ALL);
    }
    let days = days
        .iter()
        .map(|day| {
            i8::try_from(*day)
                .ok()
                .and_then(|day| jiff::civil::Weekday::from_monday_one_offset(day).ok())
                .ok_or_else(|| FieldError::new("weekdays", "must be 1 (Monday) to 7 (Sunday)"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Weekdays::new(days))
}

/// The nights to list: from today up to the horizon by default.
fn listed_nights(from: &str, until: &str) -> Result<DateRange, FieldError> {
    let date = |text: &str, field: &str| parse_date(text).map_err(|error| FieldError::new(field, error.to_string()));
    let from = if from.is_empty() { today(Timestamp::now()) } else { date(from, "from_date")? };
    let until = if until.is_empty() { from.saturating_add(HORIZON_DAYS.days()) } else { date(until, "until_date")? };
    DateRange::new(from, until).map_err(|e| e.at("from_date", "until_date"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inventory_of_past_or_far_future_nights_is_refused() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a time");
        let refused = |from: &str, until: &str| {
            let range = DateRange::parse(from, until).expect("a range");
            require_sellable(range, now).map_err(|error| error.field)
        };
        assert_eq!(refused("2026-11-22", "2026-11-23"), Ok(()));
        assert_eq!(refused("2026-11-20", "2026-11-23"), Err("from_date".to_owned()));
        assert_eq!(refused("2001-01-01", "2001-01-02"), Err("from_date".to_owned()));
        assert_eq!(refused("2026-12-01", "2029-11-26"), Ok(()));
        assert_eq!(refused("2026-12-01", "2029-11-27"), Err("until_date".to_owned()));
        assert_eq!(refused("2150-01-01", "2150-01-02"), Err("until_date".to_owned()));
    }
}
