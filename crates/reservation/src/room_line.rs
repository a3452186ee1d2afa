//! The lines of a reservation, one for each room: its room type, its dates, who sleeps in it, and its price.

use std::collections::BTreeMap;

use jiff::Timestamp;
use staymesh_domain::{
    CancellationTerms, Deadline, GuestCount, Money, MoneyError, Party, RoomCount, RoomTypeId, StayDates,
};

use crate::{
    night::{Night, NightSale, day_of},
    quote::{Quote, QuoteError},
    room_status::RoomStatus,
};

/// The rate plan of every line, until hotels have more than one.
pub(crate) const STANDARD_PLAN: &str = "STANDARD";

/// One room of a reservation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomLine {
    /// The room type.
    pub room_type_id: RoomTypeId,
    /// Its nights, within the dates of the reservation.
    pub stay: StayDates,
    /// Who sleeps in it.
    pub party: Party,
    /// Its price, taxes and cancellation policy, as signed into the offer.
    pub quote: Quote,
    /// Its status; `Live` in an offer.
    pub status: RoomStatus,
}

/// Lines that cannot be one reservation.
#[derive(Debug, thiserror::Error)]
pub enum RoomLinesError {
    /// There is no line.
    #[error("a reservation has at least one room")]
    Empty,
    /// From the first check-in to the last check-out are too many nights.
    #[error("the rooms' dates are too far apart")]
    TooLong,
    /// Guests per room beyond what a room can sleep.
    #[error("too many guests for the rooms")]
    TooManyGuests,
    /// The prices have different currencies, or their sum is out of range.
    #[error(transparent)]
    Price(#[from] QuoteError),
}

/// What lines add up to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomLinesSum {
    /// From the first check-in to the last check-out.
    pub stay: StayDates,
    /// The prices together, see [`Quote::together`].
    pub quote: Quote,
}

impl RoomLine {
    /// The lines of `rooms` rooms of one type for the same dates, whose price together is `quote`. Guests are spread as
    /// evenly as possible, as adults; the first rooms get one more.
    ///
    /// # Errors
    /// [`RoomLinesError::TooManyGuests`] and [`RoomLinesError::Price`].
    pub fn of_one_type(
        room_type_id: RoomTypeId,
        stay: StayDates,
        rooms: RoomCount,
        guests: GuestCount,
        quote: &Quote,
    ) -> Result<Vec<Self>, RoomLinesError> {
        let (rooms, guests, quotes) = (rooms.get(), guests.get(), quote.split(rooms)?);
        let line = |(room, quote): (i32, Quote)| {
            let adults = (guests / rooms + i32::from(room < guests % rooms)).max(1);
            let party = Party::new(adults, Vec::new()).map_err(|_| RoomLinesError::TooManyGuests)?;
            Ok(Self { room_type_id, stay, party, quote, status: RoomStatus::Live })
        };
        (0..rooms).zip(quotes).map(line).collect()
    }

    /// What lines add up to.
    ///
    /// # Errors
    /// See [`RoomLinesError`].
    pub fn sum(lines: &[Self]) -> Result<RoomLinesSum, RoomLinesError> {
        let (first, others) = lines.split_first().ok_or(RoomLinesError::Empty)?;
        let check_in = lines.iter().map(|line| line.stay.check_in()).min().ok_or(RoomLinesError::Empty)?;
        let check_out = lines.iter().map(|line| line.stay.check_out()).max().ok_or(RoomLinesError::Empty)?;
        Ok(RoomLinesSum {
            stay: StayDates::new(check_in, check_out).map_err(|_| RoomLinesError::TooLong)?,
            quote: Quote::together(&first.quote, others.iter().map(|line| &line.quote))?,
        })
    }

    /// What is refunded of the lines of a reservation made at `booked` that is cancelled at `now`: each by its own terms.
    /// Rooms with the terms of releases before are rounded together, as those did.
    ///
    /// # Errors
    /// When a sum or a date is out of range.
    pub(crate) fn refund(lines: &[Self], booked: Timestamp, now: Timestamp) -> Result<Money, QuoteError> {
        Self::refund_by(lines, |quote| quote.refund(booked, now))
    }

    /// As [`Self::refund`], after a no-show.
    ///
    /// # Errors
    /// As [`Self::refund`].
    pub(crate) fn no_show_refund(lines: &[Self]) -> Result<Money, QuoteError> {
        Self::refund_by(lines, Quote::no_show_refund)
    }

    fn refund_by(lines: &[Self], refund: impl Fn(&Quote) -> Result<Money, MoneyError>) -> Result<Money, QuoteError> {
        let mut groups: Vec<(StayDates, Quote)> = Vec::new();
        for line in lines {
            let same = |(stay, quote): &&mut (StayDates, Quote)| *stay == line.stay && quote.rounds_with(&line.quote);
            match groups.iter_mut().find(same) {
                Some((_, quote)) => *quote = Quote::together(quote, [&line.quote])?,
                None => groups.push((line.stay, line.quote.clone())),
            }
        }
        let mut refunds = groups.iter().map(|(_, quote)| refund(quote));
        let first = refunds.next().ok_or(QuoteError::Sum)??;
        refunds.try_fold(first, |sum, refund| Ok(sum.checked_add(refund?)?))
    }

    /// Its room type and its dates.
    pub(crate) fn room(&self) -> (RoomTypeId, StayDates) {
        (self.room_type_id, self.stay)
    }
}

/// A room of a booking that gets none: of the short types the one with the lowest id, its first short night, and the first
/// room by index that gets none in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortRoom {
    /// Its index in the booking, from 0.
    pub index: usize,
    /// Its room type.
    pub room_type_id: RoomTypeId,
}

/// The rooms that each night needs, in key order: two rooms of one type are one night with two rooms.
pub(crate) fn nights_of(
    hotel_id: i32,
    rooms: impl IntoIterator<Item = (RoomTypeId, StayDates)>,
) -> BTreeMap<Night, i32> {
    let mut nights = BTreeMap::new();
    for (room_type_id, stay) in rooms {
        for day in days(stay) {
            *nights.entry((hotel_id, room_type_id.get(), day)).or_default() += 1;
        }
    }
    nights
}

/// Why a booking does not get its rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shortage {
    /// A night was never put on sale.
    NotOnSale,
    /// The first night in key order that is closed.
    StopSell(Night),
    /// The first short night in key order, and the rooms left in it.
    SoldOut(Night, i32),
}

/// What is missing in what can be sold for the rooms that each night needs; `None` when nothing is. A closed night is named
/// before one that is short.
pub(crate) fn shortage(needs: &BTreeMap<Night, i32>, left: &BTreeMap<Night, NightSale>) -> Option<Shortage> {
    let (mut closed, mut short) = (None, None);
    for (night, rooms) in needs {
        match left.get(night) {
            None => return Some(Shortage::NotOnSale),
            Some(sale) if sale.sells(*rooms) => {}
            Some(sale) if sale.stop_sell => closed = closed.or(Some(Shortage::StopSell(*night))),
            Some(sale) => short = short.or(Some(Shortage::SoldOut(*night, sale.rooms_left.max(0)))),
        }
    }
    closed.or(short)
}

/// The nights of a stay, as days since 1970-01-01.
fn days(stay: StayDates) -> std::ops::Range<i32> {
    day_of(stay.check_in())..day_of(stay.check_out())
}

/// What a cancellation keeps of lines booked at `booked`, earliest deadline first; each line has its own grace period.
/// `together` are the terms of all of them.
///
/// # Errors
/// When a sum is out of range.
pub(crate) fn deadlines(
    lines: &[RoomLine],
    together: &CancellationTerms,
    booked: Timestamp,
) -> Result<Vec<Deadline>, QuoteError> {
    let graces: Vec<_> = lines.iter().map(|line| line.quote.terms.grace).collect();
    if graces.windows(2).all(|pair| pair[0] == pair[1]) {
        return Ok(together.deadlines_of(booked));
    }
    let of_room = |line: &RoomLine| {
        let terms = line.quote.terms.clone();
        CancellationTerms { deadlines: terms.deadlines_of(booked), grace: None, ..terms }
    };
    let (first, others) = lines.split_first().ok_or(QuoteError::Sum)?;
    let sum = others.iter().try_fold(of_room(first), |sum, line| sum.together(&of_room(line)))?;
    Ok(sum.deadlines)
}

/// The rooms of a booking, one for each line.
pub(crate) fn room_count(lines: &[RoomLine]) -> i32 {
    lines.iter().map(|_| 1).sum()
}

/// Rooms times nights, over all lines.
pub(crate) fn room_nights(lines: &[RoomLine]) -> i64 {
    lines.iter().map(|line| i64::from(line.stay.night_count())).sum()
}

/// Adults and children in all rooms together.
pub(crate) fn guest_count(lines: &[RoomLine]) -> i32 {
    lines.iter().map(|line| line.party.guests()).sum()
}

/// The first room, by its index, that gets none when `rooms_left` of the night, see [`Shortage::SoldOut`], are left for all.
pub(crate) fn short_room(
    rooms: impl IntoIterator<Item = (RoomTypeId, StayDates)>,
    (_, room_type, day): Night,
    rooms_left: i32,
) -> Option<ShortRoom> {
    let over =
        |(room_type_id, stay): (RoomTypeId, StayDates)| room_type_id.get() == room_type && days(stay).contains(&day);
    let mut wanting = rooms.into_iter().enumerate().filter(|(_, room)| over(*room));
    let (index, (room_type_id, _)) = wanting.nth(usize::try_from(rooms_left.max(0)).ok()?)?;
    Some(ShortRoom { index, room_type_id })
}

#[cfg(test)]
mod tests;
