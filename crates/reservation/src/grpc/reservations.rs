//! `ReservationService`: what guests, partners and hotel staff call.

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_api::reservation::v1::{self as proto, reservation_service_server::ReservationService};
use staymesh_domain::{FieldErrors, ReservationId, format_date};
use staymesh_mesh::{Caller, Problem, Reason, auth::Role, proto_types};
use tonic::{Request, Response, Status};

use super::{
    changes,
    list_request::{self, ListRequest},
    offer_check,
    request::{self, refuse, reservation_id},
    response,
    room_guests::room_guests,
    rooms_request,
};
use crate::{
    error::ReservationError,
    service::{BookingService, Offers, RoomGuestsUpdate, page_of},
    store::ListPosition,
};

/// Handles `ReservationService`.
pub(crate) struct ReservationHandler(pub(crate) Arc<BookingService>);

impl ReservationHandler {
    /// A page of a list in the order of creation, with a cursor for later changes on the first one.
    async fn list(
        &self,
        caller: &Caller,
        message: &proto::ListReservationsRequest,
    ) -> Result<Response<proto::ListReservationsResponse>, Status> {
        let ListRequest { filter, page, changes } = list_request::list(caller, message)?;
        let mut change_cursor = String::new();
        if let (None, Some(changes)) = (page.after, changes) {
            // Before the list: what it does not have yet follows.
            change_cursor = changes.cursor(self.0.change_horizon().await?.position());
        }
        let rows = self.0.list(&filter, page.after, page.size.limit()).await?;
        let shown = |row| Ok::<_, ReservationError>((ListPosition::of(&row), response::reservation(row)?));
        let rows = rows.into_iter().map(shown).collect::<Result<Vec<_>, _>>()?;
        let most = response::fitting(rows.iter().map(|(_, reservation)| reservation));
        let (rows, next_page_token) = page.cut_to(most, rows, |(position, _)| *position);
        let reservations = rows.into_iter().map(|(_, reservation)| reservation).collect();
        Ok(Response::new(proto::ListReservationsResponse { reservations, next_page_token, change_cursor }))
    }

    /// The reservations that have changed since a cursor.
    async fn list_changed(
        &self,
        caller: &Caller,
        message: &proto::ListReservationsRequest,
    ) -> Result<Response<proto::ListReservationsResponse>, Status> {
        let (changes, page) = list_request::changed(caller, message)?;
        let horizon = self.0.change_horizon().await?;
        let after = page.after.filter(|after| horizon.has(*after)).ok_or_else(list_request::unknown_cursor)?;
        let rows = self.0.changed_since(&changes.scope, after, horizon, page.size.limit()).await?;
        let shown = |(position, row)| Ok::<_, ReservationError>((position, response::reservation(row)?));
        let rows = rows.into_iter().map(shown).collect::<Result<Vec<_>, _>>()?;
        let most = response::fitting(rows.iter().map(|(_, reservation)| reservation));
        let (rows, more) = page.cut_to(most, rows, |(position, _)| *position);
        // All up to the horizon is read, also the rows of others that are none of this list.
        let end = if more.is_empty() { Some(horizon.position().max(after)) } else { None };
        let last = end.or_else(|| rows.last().map(|(position, _)| *position));
        let change_cursor = changes.cursor(last.unwrap_or(after));
        let reservations = rows.into_iter().map(|(_, reservation)| reservation).collect();
        let next_page_token = String::new();
        Ok(Response::new(proto::ListReservationsResponse { reservations, next_page_token, change_cursor }))
    }
}

#[tonic::async_trait]
impl ReservationService for ReservationHandler {
    async fn get_availability(
        &self,
        request: Request<proto::GetAvailabilityRequest>,
    ) -> Result<Response<proto::GetAvailabilityResponse>, Status> {
        let message = request.into_inner();
        let mut errors = FieldErrors::default();
        let (dates, now) = ((&*message.check_in, &*message.check_out), Timestamp::now());
        let stay = request::stay_request(&mut errors, message.hotel_id, dates, &message.occupancies, now);
        let room_type_ids = request::room_type_ids(&mut errors, &message.room_type_ids);
        let stay = errors.complete(stay).map_err(refuse)?;
        let rooms = stay.parties.rooms().get();
        let (left, mut misfits) = self.0.search(&stay, &room_type_ids, now).await?;
        let room_types = left
            .into_iter()
            .map(|left| {
                let misfits = misfits.remove(&left.room_type_id).unwrap_or_default();
                proto::RoomTypeAvailability {
                    room_type_id: left.room_type_id.get(),
                    available: left.rooms_left >= rooms && misfits.is_empty(),
                    rooms_left: left.rooms_left,
                    misfits: response::misfits(&misfits),
                    stop_sell_dates: left.stop_sell.into_iter().map(format_date).collect(),
                }
            })
            .collect();
        Ok(Response::new(proto::GetAvailabilityResponse { room_types }))
    }

    async fn list_offers(
        &self,
        request: Request<proto::ListOffersRequest>,
    ) -> Result<Response<proto::ListOffersResponse>, Status> {
        let message = request.into_inner();
        let mut errors = FieldErrors::default();
        let (dates, now) = ((&*message.check_in, &*message.check_out), Timestamp::now());
        let stay = request::stay_request(&mut errors, message.hotel_id, dates, &message.occupancies, now);
        let page = request::offer_page(&mut errors, &message);
        let (stay, page) = errors.complete(stay.zip(page)).map_err(refuse)?;
        let Offers { lines, unsuitable, children_priced_as_adults } = self.0.offers(&stay, now).await?;
        let (lines, next_page_token) = page_of(&page, lines);
        let offers = lines.into_iter().map(|line| response::offer(line, children_priced_as_adults)).collect();
        let unsuitable = unsuitable.into_iter().map(response::unsuitable).collect();
        Ok(Response::new(proto::ListOffersResponse { offers, next_page_token, unsuitable }))
    }

    async fn prepare_reservation(
        &self,
        request: Request<proto::PrepareReservationRequest>,
    ) -> Result<Response<proto::PrepareReservationResponse>, Status> {
        let caller = Caller::required(&request)?;
        let message = request.into_inner();
        if matches!(caller.role, Role::Staff | Role::Admin) {
            caller.require_hotel_field(message.hotel_id)?;
        }
        let mut errors = FieldErrors::default();
        let now = Timestamp::now();
        let rooms = rooms_request::rooms_request(&mut errors, &message, caller.role, now);
        let rooms = errors.complete(rooms).map_err(refuse)?;
        let form = self.0.prepare(&caller, rooms, now).await?;
        let expires = form.offer.expires().map_err(ReservationError::from)?;
        let price = response::price_together(&form.offer.lines, &form.sum.quote);
        let prices = form.offer.lines.iter().map(|line| response::price(line.room_type_id, &line.quote));
        Ok(Response::new(proto::PrepareReservationResponse {
            reservation_id: form.offer.reservation_id.to_string(),
            offer_token: form.token,
            offer_expire_time: Some(proto_types::timestamp(expires)),
            price: Some(price),
            room_prices: prices.collect(),
        }))
    }

    async fn check_offers(
        &self,
        request: Request<proto::CheckOffersRequest>,
    ) -> Result<Response<proto::CheckOffersResponse>, Status> {
        let caller = Caller::required(&request)?;
        let tokens = request::offer_tokens(request.into_inner().offer_tokens).map_err(refuse)?;
        let checks = self.0.check_offers(&caller, &tokens, Timestamp::now()).await?;
        let checks = checks.into_iter().map(offer_check::offer_check).collect::<Result<_, _>>()?;
        Ok(Response::new(proto::CheckOffersResponse { checks }))
    }

    async fn create_reservation(
        &self,
        request: Request<proto::CreateReservationRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let source = request::source(&request);
        let message = request.into_inner();
        let booking = request::booking(message, caller.role, source).map_err(refuse)?;
        let booking = self.0.create(&caller, booking, Timestamp::now()).await?;
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn get_reservation(
        &self,
        request: Request<proto::GetReservationRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let id = reservation_id(&request.into_inner().reservation_id)?;
        let booking = self.0.get(&caller, id).await?;
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn list_reservations(
        &self,
        request: Request<proto::ListReservationsRequest>,
    ) -> Result<Response<proto::ListReservationsResponse>, Status> {
        let caller = Caller::required(&request)?;
        let message = request.into_inner();
        if message.changed_since.is_empty() {
            self.list(&caller, &message).await
        } else {
            self.list_changed(&caller, &message).await
        }
    }

    async fn resume_hold(
        &self,
        request: Request<proto::ResumeHoldRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let message = request.into_inner();
        let mut errors = FieldErrors::default();
        let id = errors.value(message.reservation_id.parse::<ReservationId>());
        let mode = errors.value(request::payment_mode(message.payment_mode));
        let (id, mode) = errors.complete(id.zip(mode)).map_err(refuse)?;
        let booking = self.0.resume(&caller, id, mode, Timestamp::now()).await?;
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn release_hold(
        &self,
        request: Request<proto::ReleaseHoldRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let id = reservation_id(&request.into_inner().reservation_id)?;
        let booking = self.0.release(&caller, id, Timestamp::now()).await?;
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn extend_hold(
        &self,
        request: Request<proto::ExtendHoldRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let id = reservation_id(&request.into_inner().reservation_id)?;
        let booking = self.0.extend(&caller, id, Timestamp::now()).await?;
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn update_room_guests(
        &self,
        request: Request<proto::UpdateRoomGuestsRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let message = request.into_inner();
        let mut errors = FieldErrors::default();
        let id = errors.value(message.reservation_id.parse::<ReservationId>());
        let guests = room_guests(&mut errors, &message.room_guests);
        let (id, guests) = errors.complete(id.zip(guests)).map_err(refuse)?;
        let update = RoomGuestsUpdate { guests, etag: message.etag };
        let booking = self.0.update_room_guests(&caller, id, update, Timestamp::now()).await?;
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn get_cancel_quote(
        &self,
        request: Request<proto::GetCancelQuoteRequest>,
    ) -> Result<Response<proto::CancelQuote>, Status> {
        let caller = Caller::required(&request)?;
        let message = request.into_inner();
        let mut errors = FieldErrors::default();
        let id = errors.value(message.reservation_id.parse::<ReservationId>());
        let rooms = errors.value(changes::cancelled_rooms(&message.rooms));
        let (id, rooms) = errors.complete(id.zip(rooms)).map_err(refuse)?;
        let quote = self.0.cancel_quote(&caller, id, &rooms, Timestamp::now()).await?;
        Ok(Response::new(response::cancel_quote(&quote)?))
    }

    async fn cancel_reservation(
        &self,
        request: Request<proto::CancelReservationRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let message = request.into_inner();
        require_may_waive(&caller, &message)?;
        let mut errors = FieldErrors::default();
        let id = errors.value(message.reservation_id.parse::<ReservationId>());
        let expected_refund = errors.value(request::expected_refund(message.expected_refund.as_ref()));
        let waiver = request::waiver(&mut errors, message.waive.as_ref());
        let by_hotel = request::by_hotel(&mut errors, &message);
        let (id, expected_refund) = errors.complete(id.zip(expected_refund)).map_err(refuse)?;
        let now = Timestamp::now();
        let booking = match (by_hotel, waiver) {
            (Some(why), _) => self.0.cancel_by_hotel(&caller, id, why, expected_refund, now).await?,
            (None, Some(waiver)) => self.0.cancel_waiving(&caller, id, waiver, expected_refund, now).await?,
            (None, None) => self.0.cancel(&caller, id, expected_refund, now).await?,
        };
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn cancel_rooms(
        &self,
        request: Request<proto::CancelRoomsRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(changes::cancel_rooms(&self.0, &caller, &request.into_inner()).await?))
    }

    async fn quote_change(
        &self,
        request: Request<proto::QuoteChangeRequest>,
    ) -> Result<Response<proto::ChangeQuote>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(changes::quote(&self.0, &caller, request.into_inner()).await?))
    }

    async fn apply_change(
        &self,
        request: Request<proto::ApplyChangeRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let source = request::source(&request);
        Ok(Response::new(changes::apply(&self.0, &caller, source, request.into_inner()).await?))
    }

    async fn list_reservation_revisions(
        &self,
        request: Request<proto::ListReservationRevisionsRequest>,
    ) -> Result<Response<proto::ListReservationRevisionsResponse>, Status> {
        let caller = Caller::required(&request)?;
        Ok(Response::new(changes::revisions(&self.0, &caller, &request.into_inner()).await?))
    }
}

/// Requires that the caller may keep less than the policy, or cancel for the hotel, if it asks for that.
fn require_may_waive(caller: &Caller, message: &proto::CancelReservationRequest) -> Result<(), Problem> {
    if message.waive.is_none() && message.by_hotel.is_none() || matches!(caller.role, Role::Staff | Role::Admin) {
        return Ok(());
    }
    Err(Problem::new(Reason::AccessDenied, "only staff of the hotel may keep less than the cancellation policy"))
}
