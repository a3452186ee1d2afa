//! A booking of the fault matrix that is changed.

use jiff::civil::Date;

use crate::{
    money::faults::shop::{Sale, Shop},
    support::{Rest, eventually},
};

/// A paid booking before it is changed.
pub(super) struct Booked {
    pub(super) caller: Rest,
    /// The booking and its payment; no payment if a partner collects.
    pub(super) sale: Sale,
    pub(super) check_out: Date,
    /// The check-out after the change.
    pub(super) changed: Date,
}

/// Waits until no change of the booking is pending.
pub(super) async fn await_decided(shop: &Shop<'_>, booked: &Booked) {
    let id = &booked.sale.reservation_id;
    eventually(&format!("the change of {id} is decided"), async || {
        let decided: bool = sqlx::query_scalar(
            "select pending_revision is null and exists (
                 select from reservation_change change where change.reservation_id = reservation.reservation_id)
             from reservation where reservation_id = $1::uuid",
        )
        .bind(id)
        .fetch_one(&shop.books.pool)
        .await
        .expect("the booking");
        decided.then_some(())
    })
    .await;
}
