//! Builds response messages from domain values.

use jiff::Timestamp;
use prost::Message;
use staymesh_api::{rate::v1 as rate, reservation::v1 as proto};
use staymesh_domain::{CancellationTerms, RoomTypeId, format_date};
use staymesh_mesh::{
    Problem,
    cancellation_types::{cancellation_terms, cancellation_terms_of_booking},
    proto_types,
};

use super::room_guests;
use crate::{
    error::ReservationError,
    fit::RoomMisfit,
    lifecycle::CancelQuote,
    model::{CancellationReason, PaymentMode, PendingChange, Reservation, Status},
    quote::Quote,
    room_line::{RoomLine, STANDARD_PLAN},
    room_status::RoomStatus,
    service::{OfferLine, Unsuitable, etag},
    store::{DeskRoom, InventoryNight},
};

/// Longest page of reservations, in bytes of the wire. As JSON it is up to five times as long, which is below the limit of the
/// edge (8 MiB): fifty rooms with ninety priced nights each make a reservation of 150 KB.
const MAX_PAGE: usize = 1 << 20;

/// How many of the reservations, or of the revisions of one, fit on one page, from the first on.
pub(super) fn fitting<'a, M: Message + 'a>(rows: impl Iterator<Item = &'a M>) -> usize {
    let mut length = 0;
    let fits = |row: &&M| {
        length += row.encoded_len();
        length <= MAX_PAGE
    };
    rows.take_while(fits).count()
}

/// The rules that parties break.
pub(super) fn misfits(misfits: &[RoomMisfit]) -> Vec<proto::Misfit> {
    let misfit = |misfit: &RoomMisfit| {
        let (reason, actual, limit) = misfit.parts();
        proto::Misfit { room: misfit.room, reason: reason.as_str().to_owned(), actual, limit }
    };
    misfits.iter().map(misfit).collect()
}

/// A room type that parties do not fit.
pub(super) fn unsuitable(unsuitable: Unsuitable) -> proto::UnsuitableRoomType {
    proto::UnsuitableRoomType {
        room_type_id: unsuitable.room_type.room_type_id.get(),
        misfits: misfits(&unsuitable.misfits),
        display_name: unsuitable.room_type.display_name,
    }
}

/// A room type that can be booked.
pub(super) fn offer(line: OfferLine, children_priced_as_adults: bool) -> proto::Offer {
    proto::Offer {
        room_type_id: line.room_type.room_type_id.get(),
        price: Some(price(line.room_type.room_type_id, &line.quote)),
        display_name: line.room_type.display_name,
        max_occupancy: line.room_type.occupancy.max_occupancy,
        rooms_left: line.rooms_left,
        children_priced_as_adults,
    }
}

/// A reservation.
///
/// # Errors
/// When amounts of its rooms cannot be added up.
pub(super) fn reservation(booking: Reservation) -> Result<proto::Reservation, ReservationError> {
    let pending = booking.status == Status::PendingPayment;
    let terms = terms_together(&booking)?;
    let etag = etag(&booking)?;
    let rooms = rooms(&booking);
    let retained = Some(booking.retained).filter(|retained| retained.minor() > 0);
    Ok(proto::Reservation {
        reservation_id: booking.id.to_string(),
        hotel_id: booking.id.hotel_id().get(),
        check_in: booking.stay.check_in().to_string(),
        check_out: booking.stay.check_out().to_string(),
        status: status(booking.status).into(),
        cancellation_reason: cancellation_reason(booking.cancellation_reason).into(),
        payment_mode: payment_mode(booking.payment_mode).into(),
        price: Some(rate::StayPrice {
            cancellation_terms: Some(terms),
            ..prices_together(&booking.lines, &booking.quote)
        }),
        primary_guest: Some(proto::Guest { full_name: booking.guest.full_name, email: booking.guest.email }),
        hold_expire_time: booking.hold_expire_time.filter(|_| pending).map(proto_types::timestamp),
        create_time: Some(proto_types::timestamp(booking.create_time)),
        update_time: Some(proto_types::timestamp(booking.update_time)),
        rooms,
        revision: booking.revision,
        etag,
        retained: retained.map(proto_types::money),
        pending_change: booking.pending.as_ref().map(pending_change),
        client_reference: booking.client_reference,
    })
}

/// A cancel quote.
///
/// # Errors
/// When the index of the deadline is out of range, which no terms reach.
pub(super) fn cancel_quote(quote: &CancelQuote) -> Result<proto::CancelQuote, ReservationError> {
    let tier = quote.tier.map(i32::try_from).transpose().map_err(|error| Problem::internal(&error))?;
    Ok(proto::CancelQuote {
        kept: Some(proto_types::money(quote.kept)),
        refund: Some(proto_types::money(quote.refund)),
        tier,
        next_deadline: quote.next.map(|(end, _)| proto_types::timestamp(end)),
        next_kept: quote.next.map(|(_, kept)| proto_types::money(kept)),
        valid_until: Some(proto_types::timestamp(quote.valid_until)),
    })
}

/// The terms of all rooms together, whose grace periods are in the deadlines.
fn terms_together(booking: &Reservation) -> Result<rate::CancellationTerms, ReservationError> {
    let terms = &booking.quote.terms;
    let deadlines = CancellationTerms { deadlines: booking.deadlines()?, grace: None, ..terms.clone() };
    Ok(rate::CancellationTerms { refundable: terms.is_refundable(), ..cancellation_terms(&deadlines) })
}

/// The rooms of a reservation by their positions, also those that changes dropped.
fn rooms(booking: &Reservation) -> Vec<proto::ReservationRoom> {
    let status = booking.status.of_rooms(booking.cancellation_reason);
    let live = booking.placed_lines().zip(&booking.room_guests).map(|(placed, guest)| proto::ReservationRoom {
        guest: guest.clone().map(room_guests::shown),
        ..room(placed, booking.create_time, status)
    });
    let dropped =
        booking.dropped.iter().map(|dropped| room(dropped.placed(), booking.create_time, RoomStatus::Cancelled));
    let mut rooms: Vec<_> = live.chain(dropped).collect();
    rooms.sort_by_key(|room| room.position);
    rooms
}

/// A change that waits for its payment.
pub(super) fn pending_change(pending: &PendingChange) -> proto::PendingChange {
    proto::PendingChange {
        revision: pending.revision,
        due: Some(proto_types::money(pending.change.balance)),
        expire_time: Some(proto_types::timestamp(pending.expire_time)),
        create_time: Some(proto_types::timestamp(pending.create_time)),
    }
}

/// A room of a reservation.
pub(super) fn room(
    (position, line): (i32, &RoomLine),
    booked: Timestamp,
    of_booking: RoomStatus,
) -> proto::ReservationRoom {
    proto::ReservationRoom {
        position,
        room_type_id: line.room_type_id.get(),
        rate_plan: STANDARD_PLAN.to_owned(),
        check_in: format_date(line.stay.check_in()),
        check_out: format_date(line.stay.check_out()),
        adults: line.party.adults(),
        child_ages: line.party.child_ages().to_vec(),
        price: Some(rate::StayPrice {
            cancellation_terms: Some(cancellation_terms_of_booking(&line.quote.terms, booked)),
            ..stay_price(line.room_type_id.get(), &line.quote)
        }),
        status: line_status(if line.status.has_arrived() { line.status } else { of_booking }).into(),
        guest: None,
    }
}

/// The status of a room.
pub(super) fn line_status(status: RoomStatus) -> proto::ReservationRoomStatus {
    match status {
        RoomStatus::Live => proto::ReservationRoomStatus::Live,
        RoomStatus::InHouse => proto::ReservationRoomStatus::InHouse,
        RoomStatus::Completed => proto::ReservationRoomStatus::Completed,
        RoomStatus::Cancelled => proto::ReservationRoomStatus::Cancelled,
        RoomStatus::NoShow => proto::ReservationRoomStatus::NoShow,
    }
}

/// The prices of rooms together: subtotals, taxes by name and totals add up. What the rooms do not have in common is left
/// out: the room type, the nights of one room. The cancellation terms keep what those of the rooms keep together. `quote` is
/// their sum.
pub(super) fn price_together(lines: &[RoomLine], quote: &Quote) -> rate::StayPrice {
    let terms = cancellation_terms(&quote.terms);
    rate::StayPrice { cancellation_terms: Some(terms), ..prices_together(lines, quote) }
}

/// [`price_together`] without the terms.
fn prices_together(lines: &[RoomLine], quote: &Quote) -> rate::StayPrice {
    let same =
        |of: fn(&RoomLine, &RoomLine) -> bool| lines.iter().all(|line| lines.first().is_some_and(|one| of(one, line)));
    let room_type_id = lines.first().map_or(0, |line| line.room_type_id.get());
    let mut price = stay_price(room_type_id, quote);
    if !same(|one, other| one.room_type_id == other.room_type_id) {
        price.room_type_id = 0;
    }
    if !same(|one, other| one.quote.nights == other.quote.nights) {
        price.nights.clear();
    }
    price
}

/// The price of one room.
pub(super) fn price(room_type_id: RoomTypeId, quote: &Quote) -> rate::StayPrice {
    let terms = cancellation_terms(&quote.terms);
    rate::StayPrice { cancellation_terms: Some(terms), ..stay_price(room_type_id.get(), quote) }
}

/// The price of a stay in a room type, without the terms.
fn stay_price(room_type_id: i32, quote: &Quote) -> rate::StayPrice {
    rate::StayPrice {
        room_type_id,
        nights: quote
            .nights
            .iter()
            .map(|night| rate::NightPrice {
                stay_date: format_date(night.date),
                price: Some(proto_types::money(night.price)),
            })
            .collect(),
        subtotal: Some(proto_types::money(quote.subtotal)),
        taxes: quote
            .taxes
            .iter()
            .map(|tax| rate::TaxAmount { display_name: tax.name.clone(), amount: Some(proto_types::money(tax.amount)) })
            .collect(),
        total: Some(proto_types::money(quote.total)),
        cancellation_terms: None,
    }
}

/// The inventory of one night.
pub(super) fn inventory_night(night: &InventoryNight) -> proto::InventoryNight {
    proto::InventoryNight {
        stay_date: format_date(night.stay_date),
        total_inventory: night.total_inventory,
        total_reserved: night.total_reserved,
        overbooking_percent: night.overbooking_percent.into(),
        version: night.version,
        stop_sell: night.stop_sell,
        out_of_order: night.out_of_order,
        relocations_due: night.relocations_due(),
    }
}

/// A room, as the front desk sees it.
pub(super) fn desk_room(room: DeskRoom) -> proto::DeskRoom {
    proto::DeskRoom {
        reservation_id: room.reservation_id.to_string(),
        position: room.position,
        guest_name: room.guest_name,
        room_type_id: room.room_type_id.get(),
        check_in: format_date(room.stay.check_in()),
        check_out: format_date(room.stay.check_out()),
        adults: room.party.adults(),
        child_ages: room.party.child_ages().to_vec(),
        status: line_status(room.status).into(),
        reservation_status: status(room.reservation_status).into(),
        payment_mode: payment_mode(room.payment_mode).into(),
        balance_due: Some(proto_types::money(room.balance_due)),
        room_number: room.room_number.unwrap_or_default(),
        guest: room.guest.map(room_guests::shown),
    }
}

fn payment_mode(mode: PaymentMode) -> proto::PaymentMode {
    match mode {
        PaymentMode::GuestPays => proto::PaymentMode::GuestPays,
        PaymentMode::PartnerCollects => proto::PaymentMode::PartnerCollects,
    }
}

/// The version of the inventory of each room type.
pub(super) fn inventory_etags(etags: Vec<(RoomTypeId, String)>) -> Vec<proto::InventoryEtag> {
    etags.into_iter().map(|(id, etag)| proto::InventoryEtag { room_type_id: id.get(), etag }).collect()
}

fn status(status: Status) -> proto::ReservationStatus {
    match status {
        Status::PendingPayment => proto::ReservationStatus::PendingPayment,
        Status::Paid => proto::ReservationStatus::Paid,
        Status::Refunded => proto::ReservationStatus::Refunded,
        Status::Cancelled => proto::ReservationStatus::Cancelled,
        Status::Rejected => proto::ReservationStatus::Rejected,
    }
}

fn cancellation_reason(reason: Option<CancellationReason>) -> proto::CancellationReason {
    match reason {
        None => proto::CancellationReason::Unspecified,
        Some(CancellationReason::Requested) => proto::CancellationReason::Requested,
        Some(CancellationReason::HoldExpired) => proto::CancellationReason::HoldExpired,
        Some(CancellationReason::NoShow) => proto::CancellationReason::NoShow,
        Some(CancellationReason::ByHotel) => proto::CancellationReason::CancelledByHotel,
    }
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, ToSpan};
    use staymesh_domain::StayDates;

    use super::*;
    use crate::{
        quote::{Night, tests::quote},
        testing::{lines, order_of, reservation_of, room_type},
    };

    fn message(rooms: i32, nights: i32) -> proto::Reservation {
        let now = Timestamp::UNIX_EPOCH;
        let first = jiff::civil::date(2030, 1, 1);
        let stay = StayDates::new(first, first.saturating_add(nights.days())).expect("a stay");
        let mut price = quote(9_000);
        price.nights = stay.nights().map(|date| Night { date, price: price.total }).collect();
        reservation(reservation_of(&order_of(lines(room_type(), stay, rooms, &price), now), now)).expect("sums")
    }

    #[test]
    fn page_fits_five_hundred_short_reservations_but_only_some_of_fifty_rooms_and_ninety_nights() {
        assert_eq!(fitting(std::iter::repeat_n(&message(1, 7), 500)), 500);
        let long = message(50, 90);
        let some = fitting(std::iter::repeat_n(&long, 500));
        assert!((5..20).contains(&some) && some * long.encoded_len() <= MAX_PAGE, "{some}");
    }

    #[test]
    fn names_in_the_metadata_of_errors_are_those_of_the_contract() {
        for each in RoomStatus::ALL {
            assert_eq!(line_status(each).as_str_name(), format!("RESERVATION_ROOM_STATUS_{}", each.contract_name()));
        }
        for each in Status::ALL {
            assert_eq!(status(each).as_str_name(), format!("RESERVATION_STATUS_{}", each.contract_name()));
        }
        for each in CancellationReason::ALL {
            let shown = cancellation_reason(Some(each)).as_str_name();
            assert_eq!(shown, format!("CANCELLATION_REASON_{}", each.contract_name()));
        }
    }
}
