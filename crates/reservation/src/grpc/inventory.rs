//! `InventoryAdminService`: what hotel staff call.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan, civil::Date};
use staymesh_api::reservation::v1::{self as proto, inventory_admin_service_server::InventoryAdminService};
use staymesh_domain::{DateRange, FieldError, HotelId, Page, RoomTypeId, Weekdays};
use staymesh_mesh::{Caller, Problem};
use tonic::{Request, Response, Status};

use crate::{
    extend::{HORIZON_DAYS, today},
    service::Service,
    store::InventoryChange,
};

/// How far a night is overbooked when nobody says otherwise, per cent (R10).
const DEFAULT_OVERBOOKING: i32 = 10;
const MAX_INVENTORY: i32 = 10_000;
const MAX_CHANGES: usize = 100;
/// How far ahead nights may be set, in days. Each month of them is a partition, and the daily job goes on from the last.
const MAX_DAYS_AHEAD: i64 = 1_100;

pub(crate) struct Inventory(pub(crate) Arc<Service>);

fn refuse(error: impl Into<Problem>) -> Status {
    error.into().into()
}

#[tonic::async_trait]
impl InventoryAdminService for Inventory {
    async fn set_inventory(
        &self,
        request: Request<proto::SetInventoryRequest>,
    ) -> Result<Response<proto::SetInventoryResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let asked = request.into_inner();
        let hotel_id = HotelId::try_from(asked.hotel_id).map_err(|e| refuse(FieldError::from(e)))?;
        let asked = proto::InventoryChange {
            room_type_id: asked.room_type_id,
            from_date: asked.from_date,
            until_date: asked.until_date,
            weekdays: asked.weekdays,
            total_inventory: asked.total_inventory,
            overbooking_percent: asked.overbooking_percent,
            for_future_nights: asked.for_future_nights,
        };
        let change = change(&asked, Timestamp::now()).map_err(refuse)?;
        let nights = self.0.set_inventory(hotel_id, &[change]).await?;
        Ok(Response::new(proto::SetInventoryResponse { nights }))
    }

    async fn bulk_set_inventory(
        &self,
        request: Request<proto::BulkSetInventoryRequest>,
    ) -> Result<Response<proto::BulkSetInventoryResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let asked = request.into_inner();
        let hotel_id = HotelId::try_from(asked.hotel_id).map_err(|e| refuse(FieldError::from(e)))?;
        if asked.changes.is_empty() || asked.changes.len() > MAX_CHANGES {
            return Err(refuse(FieldError::new("changes", "must be 1 to 100")));
        }
        let now = Timestamp::now();
        let changes = asked
            .changes
            .iter()
            .enumerate()
            .map(|(at, asked)| change(asked, now).map_err(|error| error.under(&format!("changes[{at}]"))))
            .collect::<Result<Vec<_>, _>>()
            .map_err(refuse)?;
        let nights = self.0.set_inventory(hotel_id, &changes).await?;
        Ok(Response::new(proto::BulkSetInventoryResponse { nights }))
    }

    async fn list_inventory(
        &self,
        request: Request<proto::ListInventoryRequest>,
    ) -> Result<Response<proto::ListInventoryResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let asked = request.into_inner();
        let hotel_id = HotelId::try_from(asked.hotel_id).map_err(|e| refuse(FieldError::from(e)))?;
        let room_type_id = RoomTypeId::try_from(asked.room_type_id).map_err(|e| refuse(FieldError::from(e)))?;
        let nights = shown_nights(&asked.from_date, &asked.until_date).map_err(refuse)?;
        let filters =
            [hotel_id.to_string(), room_type_id.to_string(), nights.from().to_string(), nights.until().to_string()];
        let page: Page<Date> = Page::parse(asked.page_size, &asked.page_token, &filters.each_ref().map(String::as_str))
            .map_err(|e| refuse(FieldError::from(e)))?;
        // A token is not signed; one that was made up must not reach the database with an absurd date.
        if page.after.is_some_and(|after| !nights.contains(after)) {
            return Err(refuse(FieldError::new("page_token", "is not one of this list")));
        }
        let rows = self.0.list_inventory(hotel_id, room_type_id, nights, page.after, page.size.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |night| night.stay_date);
        let nights = rows
            .into_iter()
            .map(|night| proto::InventoryNight {
                stay_date: night.stay_date.to_string(),
                total_inventory: night.total_inventory,
                total_reserved: night.total_reserved,
                overbooking_percent: night.overbooking_percent.into(),
                version: night.version,
            })
            .collect();
        Ok(Response::new(proto::ListInventoryResponse { nights, next_page_token }))
    }
}

fn change(asked: &proto::InventoryChange, now: Timestamp) -> Result<InventoryChange, FieldError> {
    let room_type_id = RoomTypeId::try_from(asked.room_type_id)?;
    let range = DateRange::parse(&asked.from_date, &asked.until_date).map_err(|e| e.at("from_date", "until_date"))?;
    require_sellable(range, now)?;
    let overbooking = asked.overbooking_percent.unwrap_or(DEFAULT_OVERBOOKING);
    if !(0..=100).contains(&overbooking) {
        return Err(FieldError::new("overbooking_percent", "must be 0 to 100"));
    }
    if !(0..=MAX_INVENTORY).contains(&asked.total_inventory) {
        return Err(FieldError::new("total_inventory", "must be 0 to 10000"));
    }
    Ok(InventoryChange {
        room_type_id,
        nights: range.on(weekdays(&asked.weekdays)?),
        total_inventory: asked.total_inventory,
        overbooking_percent: i16::try_from(overbooking).unwrap_or(i16::MAX),
        for_future_nights: asked.for_future_nights,
    })
}

/// Refuses nights that are over, and nights so far ahead that they are a mistake.
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

fn shown_nights(from: &str, until: &str) -> Result<DateRange, FieldError> {
    let date = |text: &str, field: &str| {
        staymesh_domain::parse_date(text).map_err(|error| FieldError::new(field, error.to_string()))
    };
    let from = if from.is_empty() { today(Timestamp::now()) } else { date(from, "from_date")? };
    let until = if until.is_empty() { from.saturating_add(HORIZON_DAYS.days()) } else { date(until, "until_date")? };
    DateRange::new(from, until).map_err(|e| e.at("from_date", "until_date"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nights_that_are_over_or_absurdly_far_ahead_are_refused() {
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
