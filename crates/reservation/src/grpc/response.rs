//! Builds response messages from domain values.

use staymesh_api::{options::v1::Role, rate::v1 as rate, reservation::v1 as proto};
use staymesh_domain::{RoomTypeId, format_date};
use staymesh_mesh::proto_types;

use crate::{
    model::{CancellationReason, PaymentMode, Reservation, Status},
    quote::Quote,
    store::InventoryNight,
};

/// A reservation. Only other services see its owner.
pub(super) fn reservation(booking: Reservation, reader: Role) -> proto::Reservation {
    let pending = booking.status == Status::PendingPayment;
    let room_type_id = booking.lines.first().map(|line| line.room_type_id);
    proto::Reservation {
        reservation_id: booking.id.to_string(),
        hotel_id: booking.id.hotel_id().get(),
        room_type_id: room_type_id.map_or(0, RoomTypeId::get),
        check_in: booking.stay.check_in().to_string(),
        check_out: booking.stay.check_out().to_string(),
        rooms: booking.lines.iter().map(|_| 1).sum(),
        guests: booking.guest_count(),
        status: status(booking.status).into(),
        cancellation_reason: cancellation_reason(booking.cancellation_reason).into(),
        payment_mode: match booking.payment_mode {
            PaymentMode::GuestPays => proto::PaymentMode::GuestPays,
            PaymentMode::PartnerCollects => proto::PaymentMode::PartnerCollects,
        }
        .into(),
        price: room_type_id.map(|id| price(id, booking.quote)),
        primary_guest: Some(proto::Guest { full_name: booking.guest.full_name, email: booking.guest.email }),
        hold_expire_time: booking.hold_expire_time.filter(|_| pending).map(proto_types::timestamp),
        create_time: Some(proto_types::timestamp(booking.create_time)),
        update_time: Some(proto_types::timestamp(booking.update_time)),
        owner: if reader == Role::Service { booking.owner } else { String::new() },
    }
}

/// The price of a stay in a room type.
pub(super) fn price(room_type_id: RoomTypeId, quote: Quote) -> rate::StayPrice {
    rate::StayPrice {
        room_type_id: room_type_id.get(),
        nights: quote
            .nights
            .into_iter()
            .map(|night| rate::NightPrice {
                stay_date: format_date(night.date),
                price: Some(proto_types::money(night.price)),
            })
            .collect(),
        subtotal: Some(proto_types::money(quote.subtotal)),
        taxes: quote
            .taxes
            .into_iter()
            .map(|tax| rate::TaxAmount { display_name: tax.name, amount: Some(proto_types::money(tax.amount)) })
            .collect(),
        total: Some(proto_types::money(quote.total)),
        cancellation_policy: Some(rate::CancellationPolicy {
            free_until_hours_before: Some(quote.free_until_hours_before),
            late_penalty_percent: Some(quote.late_penalty_percent),
        }),
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
    }
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
    }
}
