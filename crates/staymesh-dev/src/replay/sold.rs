//! Reservations and inventory as the services report them.

use anyhow::{Context, Result, ensure};
use jiff::civil::Date;
use staymesh_api::reservation::v1::{Reservation, ReservationStatus};
use staymesh_domain::{Money, StayDates, parse_date};
use staymesh_mesh::proto_types;

use super::recording::CURRENCY;

/// A reservation as the services answer it, in the mesh's dates.
#[derive(Clone, Debug)]
pub(super) struct Sold {
    /// The recording's row; `None` if the reservation is not of this run.
    pub(super) number: Option<u64>,
    pub(super) reservation_id: String,
    pub(super) room_type_id: i32,
    pub(super) stay: StayDates,
    pub(super) rooms: i32,
    pub(super) status: ReservationStatus,
    pub(super) total_minor: i64,
}

/// Rooms that are sold or held in a night, as the services answer it, in the mesh's dates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reserved {
    pub(super) night: Date,
    pub(super) rooms: i32,
}

impl Sold {
    pub(super) fn read(reservation: Reservation) -> Result<Self> {
        let id = reservation.reservation_id.clone();
        Self::read_parts(reservation).with_context(|| format!("reservation {id}"))
    }

    fn read_parts(reservation: Reservation) -> Result<Self> {
        let status = reservation.status();
        let total = reservation.price.context("no price")?.total;
        let total: Money = proto_types::money_from(total.as_ref(), "total").map_err(|e| anyhow::anyhow!("{e}"))?;
        ensure!(total.currency().code() == CURRENCY, "not in {CURRENCY}");
        let room_type_id = reservation.rooms.first().context("no rooms")?.room_type_id;
        ensure!(reservation.rooms.iter().all(|room| room.room_type_id == room_type_id), "rooms of several types");
        Ok(Self {
            number: reservation.primary_guest.and_then(|guest| number_of(&guest.email)),
            room_type_id,
            stay: StayDates::new(parse_date(&reservation.check_in)?, parse_date(&reservation.check_out)?)?,
            rooms: i32::try_from(reservation.rooms.len())?,
            status,
            total_minor: total.minor(),
            reservation_id: reservation.reservation_id,
        })
    }

    /// Cancelled, with or without a refund.
    pub(super) fn is_cancelled(&self) -> bool {
        matches!(self.status, ReservationStatus::Cancelled | ReservationStatus::Refunded)
    }

    /// Paid.
    pub(super) fn is_kept(&self) -> bool {
        self.status == ReservationStatus::Paid
    }
}

/// The e-mail address of the guest of a row. It identifies the row of a reservation.
pub(super) fn email_of(number: u64) -> String {
    format!("guest-{number}@staymesh.example")
}

fn number_of(email: &str) -> Option<u64> {
    let number = email.strip_prefix("guest-")?.strip_suffix("@staymesh.example")?.parse().ok()?;
    // One spelling of each: not "guest-007" or "guest-+7".
    (email_of(number) == email).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_address_identifies_its_row() {
        for number in [1, 14_938, u64::MAX] {
            assert_eq!(number_of(&email_of(number)), Some(number));
        }
        for other in [
            "guest@staymesh.example",
            "guest-7@hotel.example",
            "guest-07@staymesh.example",
            "guest-+7@staymesh.example",
        ] {
            assert_eq!(number_of(other), None, "{other}");
        }
    }
}
