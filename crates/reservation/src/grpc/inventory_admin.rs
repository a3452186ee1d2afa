//! `InventoryAdminService`: how hotel staff put nights on sale.

use std::sync::Arc;

use jiff::{Timestamp, civil::Date};
use staymesh_api::reservation::v1::{self as proto, inventory_admin_service_server::InventoryAdminService};
use staymesh_domain::{DateRange, FieldErrors, HotelId, Page, RoomTypeId};
use staymesh_mesh::{Caller, Problem};
use tonic::{Request, Response, Status};

use super::{
    group_blocks,
    nights_request::{listed_nights, refuse_past, require_sellable, weekdays},
    out_of_order, relocations,
    request::refuse,
    response, stop_sell,
};
use crate::{
    service::BookingService,
    store::{BlockChange, InventoryChange},
};

/// Most rooms on sale in one night.
const MAX_INVENTORY: i32 = 10_000;
/// Most changes of one bulk request.
const MAX_CHANGES: usize = 100;

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
        let past = self.0.past_nights(hotel_id, &[change.nights], now).await?;
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
        let nights: Vec<_> = changes.iter().map(|change| change.nights).collect();
        let past = self.0.past_nights(hotel_id, &nights, now).await?;
        refuse_past(past.iter().map(|at| format!("changes[{at}].from_date"))).map_err(refuse)?;
        let set = self.0.set_inventory(hotel_id, &changes).await?;
        let nights = night_count(set.nights)?;
        Ok(Response::new(proto::BulkSetInventoryResponse { nights, etags: response::inventory_etags(set.etags) }))
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

    async fn set_stop_sell(
        &self,
        request: Request<proto::SetStopSellRequest>,
    ) -> Result<Response<proto::SetStopSellResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let now = Timestamp::now();
        let (hotel_id, change) = stop_sell::change(request.get_ref(), now).map_err(refuse)?;
        let past = self.0.past_nights(hotel_id, &[change.nights], now).await?;
        refuse_past(past.iter().map(|_| "from_date".to_owned())).map_err(refuse)?;
        let set = self.0.set_stop_sell(hotel_id, change).await?;
        let (nights, etags) = (night_count(set.nights)?, response::inventory_etags(set.etags));
        Ok(Response::new(proto::SetStopSellResponse { nights, etags }))
    }

    async fn create_out_of_order(
        &self,
        request: Request<proto::CreateOutOfOrderRequest>,
    ) -> Result<Response<proto::OutOfOrder>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let now = Timestamp::now();
        let (hotel_id, block) = out_of_order::new_block(request.get_ref(), now).map_err(refuse)?;
        let block = self.0.create_out_of_order(hotel_id, block, now).await?;
        Ok(Response::new(out_of_order::message(block)))
    }

    async fn list_out_of_order(
        &self,
        request: Request<proto::ListOutOfOrderRequest>,
    ) -> Result<Response<proto::ListOutOfOrderResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, filter, page) = out_of_order::list(request.get_ref()).map_err(refuse)?;
        let rows = self.0.list_out_of_order(hotel_id, &filter, page.after, page.size.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |block| (block.from, block.id));
        let out_of_order = rows.into_iter().map(out_of_order::message).collect();
        Ok(Response::new(proto::ListOutOfOrderResponse { out_of_order, next_page_token }))
    }

    async fn end_out_of_order(
        &self,
        request: Request<proto::EndOutOfOrderRequest>,
    ) -> Result<Response<proto::OutOfOrder>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, id, end) = out_of_order::end(request.get_ref()).map_err(refuse)?;
        let block = self.0.end_out_of_order(hotel_id, id, end, Timestamp::now()).await?;
        Ok(Response::new(out_of_order::message(block)))
    }

    async fn list_relocations_due(
        &self,
        request: Request<proto::ListRelocationsDueRequest>,
    ) -> Result<Response<proto::ListRelocationsDueResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, nights, page) = relocations::list(request.get_ref()).map_err(refuse)?;
        let rows = self.0.list_relocations_due(hotel_id, nights, page.after, page.size.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |due| (due.night.stay_date, due.room_type_id.get()));
        let nights = rows.iter().map(relocations::message).collect();
        Ok(Response::new(proto::ListRelocationsDueResponse { nights, next_page_token }))
    }

    async fn create_group_block(
        &self,
        request: Request<proto::CreateGroupBlockRequest>,
    ) -> Result<Response<proto::GroupBlock>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let now = Timestamp::now();
        let (hotel_id, new) = group_blocks::new_block(request.get_ref(), now).map_err(refuse)?;
        let block = self.0.create_group_block(hotel_id, new, now).await?;
        Ok(Response::new(group_blocks::message(block, &[])))
    }

    async fn get_group_block(
        &self,
        request: Request<proto::GetGroupBlockRequest>,
    ) -> Result<Response<proto::GroupBlock>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let message = request.into_inner();
        let (hotel_id, id) = group_blocks::key(message.hotel_id, &message.group_block_id).map_err(refuse)?;
        let (block, reservations) = self.0.group_block(hotel_id, id).await?;
        Ok(Response::new(group_blocks::message(block, &reservations)))
    }

    async fn list_group_blocks(
        &self,
        request: Request<proto::ListGroupBlocksRequest>,
    ) -> Result<Response<proto::ListGroupBlocksResponse>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let (hotel_id, page) = group_blocks::list(request.get_ref()).map_err(refuse)?;
        let rows = self.0.list_group_blocks(hotel_id, page.after, page.size.limit()).await?;
        let (rows, next_page_token) = page.cut(rows, |block| (block.cutoff_date, block.id));
        let group_blocks = rows.into_iter().map(|block| group_blocks::message(block, &[])).collect();
        Ok(Response::new(proto::ListGroupBlocksResponse { group_blocks, next_page_token }))
    }

    async fn resize_group_block(
        &self,
        request: Request<proto::ResizeGroupBlockRequest>,
    ) -> Result<Response<proto::GroupBlock>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let now = Timestamp::now();
        let (hotel_id, id, rooms) = group_blocks::resize(request.get_ref(), now).map_err(refuse)?;
        let block = self.0.resize_group_block(hotel_id, id, rooms, now).await?;
        Ok(Response::new(group_blocks::message(block, &[])))
    }

    async fn confirm_group_block(
        &self,
        request: Request<proto::ConfirmGroupBlockRequest>,
    ) -> Result<Response<proto::GroupBlock>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let message = request.into_inner();
        let (hotel_id, id) = group_blocks::key(message.hotel_id, &message.group_block_id).map_err(refuse)?;
        let block = self.0.change_group_block(hotel_id, id, &BlockChange::Confirm, Timestamp::now()).await?;
        Ok(Response::new(group_blocks::message(block, &[])))
    }

    async fn cancel_group_block(
        &self,
        request: Request<proto::CancelGroupBlockRequest>,
    ) -> Result<Response<proto::GroupBlock>, Status> {
        Caller::required(&request)?.require_hotel_field(request.get_ref().hotel_id)?;
        let message = request.into_inner();
        let (hotel_id, id) = group_blocks::key(message.hotel_id, &message.group_block_id).map_err(refuse)?;
        let block = self.0.change_group_block(hotel_id, id, &BlockChange::Cancel, Timestamp::now()).await?;
        Ok(Response::new(group_blocks::message(block, &[])))
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

/// The number of nights in a response. A request cannot name more than an `i32` counts.
fn night_count(nights: usize) -> Result<i32, Status> {
    i32::try_from(nights).map_err(|error| refuse(Problem::internal(&error)))
}
