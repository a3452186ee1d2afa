//! All stored state, in a form that the model and the database share.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::PgPool;
use staymesh_domain::{Money, ReservationId};
use uuid::Uuid;

use super::case::{FIRST_NIGHT, PLACES};
use crate::{
    events::{CANCELLED, SOLD_BY_PARTNER},
    model::{CancellationReason, Reservation, Status},
};

/// The mutable state of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BookingRow {
    pub(super) status: Status,
    pub(super) reason: Option<CancellationReason>,
    pub(super) hold_ends: Option<Timestamp>,
    pub(super) payment: Option<u8>,
    pub(super) was_paid: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// By place and night: total, reserved, overbooking percent.
    pub(super) nights: BTreeMap<(usize, usize), (i32, i32, i16)>,
    pub(super) bookings: BTreeMap<usize, BookingRow>,
    pub(super) histories: BTreeMap<usize, Vec<Status>>,
    /// The published refunds, in order.
    pub(super) refunds: BTreeMap<usize, Vec<i64>>,
    /// The published partner sales, before any refund of that reservation.
    pub(super) sold_by_partner: BTreeMap<usize, Vec<i64>>,
}

impl Rows {
    pub(super) fn is_pending(&self, slot: usize) -> bool {
        self.bookings.get(&slot).is_some_and(|booking| booking.status == Status::PendingPayment)
    }
}

/// The id of a numbered payment.
pub(super) fn payment_id(payment: u8) -> Uuid {
    Uuid::from_u128(u128::from(payment) + 1)
}

impl From<&Reservation> for BookingRow {
    fn from(booking: &Reservation) -> Self {
        Self {
            status: booking.status,
            reason: booking.cancellation_reason,
            hold_ends: booking.hold_expire_time,
            payment: booking.payment_id.map(|id| payment_number(id.as_uuid())),
            was_paid: booking.paid_time.is_some(),
        }
    }
}

fn payment_number(id: Uuid) -> u8 {
    u8::try_from(id.as_u128() - 1).expect("one of ours")
}

type RawBooking = (Uuid, String, Option<String>, Option<jiff_sqlx::Timestamp>, Option<Uuid>, bool);

/// The state of the database, which contains only this case.
pub(super) async fn read(pool: &PgPool, ids: &[ReservationId]) -> Result<Rows, sqlx::Error> {
    let slot = |id: Uuid| ids.iter().position(|known| known.as_uuid() == id).expect("one of ours");
    let mut rows = Rows::default();
    let nights: Vec<(i32, i32, i32, i32, i32, i16)> = sqlx::query_as(
        "select hotel_id, room_type_id, stay_date - $1, total_inventory, total_reserved, overbooking_percent
         from room_type_inventory",
    )
    .bind(jiff_sqlx::ToSqlx::to_sqlx(FIRST_NIGHT))
    .fetch_all(pool)
    .await?;
    for (hotel, room_type, night, total, reserved, percent) in nights {
        let place = PLACES.iter().position(|place| *place == (hotel, room_type)).expect("one of ours");
        rows.nights.insert((place, usize::try_from(night).expect("one of ours")), (total, reserved, percent));
    }
    let bookings: Vec<RawBooking> = sqlx::query_as(
        "select reservation_id, status, cancellation_reason, hold_expire_time, payment_id, paid_at is not null
         from reservation",
    )
    .fetch_all(pool)
    .await?;
    for (id, status, reason, hold_ends, payment, was_paid) in bookings {
        let row = BookingRow {
            status: Status::from_name(&status).expect("a state"),
            reason: reason.map(|name| CancellationReason::from_name(&name).expect("a reason")),
            hold_ends: hold_ends.map(jiff_sqlx::Timestamp::to_jiff),
            payment: payment.map(payment_number),
            was_paid,
        };
        rows.bookings.insert(slot(id), row);
    }
    let steps: Vec<(Uuid, String)> =
        sqlx::query_as("select reservation_id, status from reservation_transition order by reservation_id, version")
            .fetch_all(pool)
            .await?;
    for (id, status) in steps {
        rows.histories.entry(slot(id)).or_default().push(Status::from_name(&status).expect("a state"));
    }
    let events: Vec<(Uuid, String, String, String)> = sqlx::query_as(
        "select aggregate_id, kind, coalesce(payload ->> 'refund_currency', payload #>> '{terms,currency}'),
             coalesce(payload ->> 'refund_amount', payload #>> '{terms,amount}')
         from outbox order by event_id",
    )
    .fetch_all(pool)
    .await?;
    for (id, kind, currency, amount) in events {
        let amount = Money::parse(&currency, &amount).expect("an amount");
        let published = match kind.as_str() {
            CANCELLED => &mut rows.refunds,
            SOLD_BY_PARTNER => {
                assert!(!rows.refunds.contains_key(&slot(id)), "the sale is published before the end");
                &mut rows.sold_by_partner
            }
            other => panic!("unexpected event kind {other}"),
        };
        published.entry(slot(id)).or_default().push(amount.minor());
    }
    Ok(rows)
}
