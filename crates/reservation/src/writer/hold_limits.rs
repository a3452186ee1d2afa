//! Decides which bookings of a batch are within the limits of unpaid holds. Pure; in the order of arrival.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{
    error::UnpaidLimit,
    model::{HoldLimits, NewReservation},
    night::Night,
    store::{Held, Holder, NightShare, holders, holders_of},
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
        order.hold_expire_time?;
        self.refusal_of(&order.owner, &order.limits, &order.nights())
    }

    /// Why an account may not hold these rooms of nights unpaid; `None` when they are within all limits.
    pub(super) fn refusal_of(
        &self,
        owner: &str,
        limits: &HoldLimits,
        nights: &BTreeMap<Night, i32>,
    ) -> Option<Refusal> {
        let wanted = nights.values().copied().map(i64::from).sum();
        let mut over = holders_of(owner, limits).filter_map(|of| self.over(limits, of, wanted));
        over.next().map(Refusal::RoomNights).or_else(|| self.over_share(limits, nights))
    }

    fn over(&self, limits: &HoldLimits, (holder, limit): (Holder, i64), wanted: i64) -> Option<UnpaidLimit> {
        let holds = self.holders.get(&holder).map_or(&[][..], Vec::as_slice);
        let held: i64 = holds.iter().map(|(_, room_nights)| room_nights).sum();
        if held + wanted <= limit {
            return None;
        }
        let by_source = holder.starts_with('s');
        let unconfirmed = !by_source && limits.unconfirmed;
        let retry_time = retry_time(holds, held + wanted - limit);
        Some(UnpaidLimit { by_source, unconfirmed, limit, held, wanted, retry_time })
    }

    fn over_share(&self, limits: &HoldLimits, nights: &BTreeMap<Night, i32>) -> Option<Refusal> {
        limits.share?;
        nights.iter().find_map(|(night, rooms)| {
            let of_night = self.nights.get(night)?;
            let is_over = of_night.held + i64::from(*rooms) > of_night.limit;
            is_over.then_some(Refusal::Share(*night, *of_night, *rooms))
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
