//! Decides which bookings of a batch are within the limits of unpaid holds. Pure; in the order of arrival.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    error::UnpaidLimit,
    model::NewReservation,
    night::Night,
    store::{Held, Holder, NightShare, holders, share},
};

/// What is held unpaid, while the bookings of a batch are decided.
#[derive(Default)]
pub(super) struct Holds {
    /// By holder: its holds. Those that hold nothing are absent.
    pub(super) holders: BTreeMap<Holder, Vec<Held>>,
    /// By night, of bookings that are subject to a share.
    pub(super) nights: BTreeMap<Night, NightShare>,
}

/// Why a booking may not hold its rooms unpaid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// An account or a source would hold more than its limit.
    RoomNights(UnpaidLimit),
    /// More of this night than its share would be held unpaid, with so many rooms that are wanted.
    Share(Night, NightShare, i32),
}

impl Holds {
    /// Why the booking exceeds a limit; `None` when it is within all of them, and counted.
    pub(super) fn refuse_or_add(&mut self, order: &NewReservation) -> Option<Refusal> {
        let refusal = self.refusal(order);
        if refusal.is_none() {
            self.add(order);
        }
        refusal
    }

    fn refusal(&self, order: &NewReservation) -> Option<Refusal> {
        let mut over = holders(order).filter_map(|(holder, limit)| self.over(order, &holder, limit));
        over.next().map(Refusal::RoomNights).or_else(|| self.over_share(order))
    }

    fn over(&self, order: &NewReservation, holder: &str, limit: i64) -> Option<UnpaidLimit> {
        let holds = self.holders.get(holder).map_or(&[][..], Vec::as_slice);
        let wanted = order.room_nights();
        let held: i64 = holds.iter().map(|(_, room_nights)| room_nights).sum();
        if held + wanted <= limit {
            return None;
        }
        let by_source = holder.starts_with('s');
        let unconfirmed = !by_source && order.limits.unconfirmed;
        let retry_time = retry_time(holds, held + wanted - limit);
        Some(UnpaidLimit { by_source, unconfirmed, limit, held, wanted, retry_time })
    }

    fn over_share(&self, order: &NewReservation) -> Option<Refusal> {
        share(order)?;
        order.nights().into_iter().find_map(|(night, rooms)| {
            let of_night = self.nights.get(&night)?;
            (of_night.held + i64::from(rooms) > of_night.limit).then_some(Refusal::Share(night, *of_night, rooms))
        })
    }

    fn add(&mut self, order: &NewReservation) {
        let Some(expires) = order.hold_expire_time else { return };
        for (holder, _) in holders(order) {
            self.holders.entry(holder).or_default().push((expires, order.room_nights()));
        }
        for (night, rooms) in order.nights() {
            if let Some(of_night) = self.nights.get_mut(&night) {
                of_night.held += i64::from(rooms);
            }
        }
    }
}

/// When holds of at least `excess` room nights have expired; `None` when all together are fewer.
fn retry_time(holds: &[Held], excess: i64) -> Option<Timestamp> {
    let mut holds = holds.to_vec();
    holds.sort_unstable();
    let mut freed = 0;
    holds.into_iter().find_map(|(expires, room_nights)| {
        freed += room_nights;
        (freed >= excess).then_some(expires)
    })
}
