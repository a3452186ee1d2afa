//! The plan of a replay: the events of each room type in order, and the rooms they need. Pure, without I/O.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use jiff::{ToSpan, Unit, civil::Date};
use staymesh_domain::StayDates;

use super::recording::Row;

/// Most rooms per room type that the inventory accepts.
const MAX_ROOMS: i32 = 10_000;

/// The lanes of a replay, one per room type.
#[derive(Debug)]
pub(super) struct Plan {
    /// Ordered by number of events, most first.
    pub(super) lanes: Vec<Lane>,
    first_arrival: Date,
    last_departure: Date,
}

/// The events of one room type of a hotel, in order. Lanes are independent of each other.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) hotel: String,
    pub(super) room_type: String,
    pub(super) bookings: Vec<Row>,
    pub(super) events: Vec<Event>,
    /// Most rooms held at once in any night: the smallest inventory that accepts every booking.
    pub(super) rooms: i32,
    pub(super) max_occupancy: i32,
}

/// An event of a booking, which is an index into [`Lane::bookings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Book(usize),
    Cancel(usize),
}

/// How far the recording's dates are moved: whole weeks, so that weekends stay weekends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) days: i32,
}

impl Plan {
    pub(super) fn make(rows: Vec<Row>) -> Result<Self> {
        let first_arrival = rows.iter().map(|row| row.stay.check_in()).min();
        let last_departure = rows.iter().map(|row| row.stay.check_out()).max();
        let (first_arrival, last_departure) =
            first_arrival.zip(last_departure).context("the recording has no booking that can be played")?;
        let mut by_room_type: BTreeMap<(String, String), Vec<Row>> = BTreeMap::new();
        for row in rows {
            by_room_type.entry((row.hotel.clone(), row.room_type.clone())).or_default().push(row);
        }
        let lanes = by_room_type.into_iter().map(|((hotel, room_type), rows)| Lane::make(hotel, room_type, rows));
        let mut lanes = lanes.collect::<Result<Vec<_>>>()?;
        lanes.sort_by_key(|lane| std::cmp::Reverse(lane.events.len()));
        Ok(Self { lanes, first_arrival, last_departure })
    }

    /// The smallest shift with the first arrival tomorrow or later.
    ///
    /// # Errors
    /// When the last departure would be more than [`StayDates::MAX_DAYS_AHEAD`] days ahead.
    pub(super) fn shift(&self, today: Date) -> Result<Shift> {
        let earliest = today.saturating_add(1.day());
        let weeks = days(self.first_arrival, earliest)?.saturating_add(6).div_euclid(7);
        let shift = Shift { days: weeks * 7 };
        let ahead = days(today, shift.there(self.last_departure))?;
        let span = days(self.first_arrival, self.last_departure)?;
        ensure!(
            ahead <= StayDates::MAX_DAYS_AHEAD,
            "the recording spans {span} days, from the first arrival on {} to the last departure on {}, but rooms are sold \
             at most {} days ahead: play a part of it with --from and --until",
            self.first_arrival,
            self.last_departure,
            StayDates::MAX_DAYS_AHEAD
        );
        Ok(shift)
    }

    /// From the first night to the day of the last departure, in the mesh's dates.
    pub(super) fn nights(&self, shift: Shift) -> (Date, Date) {
        (shift.there(self.first_arrival), shift.there(self.last_departure))
    }

    pub(super) fn hotels(&self) -> Vec<&str> {
        let mut hotels: Vec<_> = self.lanes.iter().map(|lane| lane.hotel.as_str()).collect();
        hotels.sort_unstable();
        hotels.dedup();
        hotels
    }

    pub(super) fn events(&self) -> usize {
        self.lanes.iter().map(|lane| lane.events.len()).sum()
    }

    pub(super) fn bookings(&self) -> impl Iterator<Item = &Row> {
        self.lanes.iter().flat_map(|lane| &lane.bookings)
    }
}

impl Lane {
    fn make(hotel: String, room_type: String, bookings: Vec<Row>) -> Result<Self> {
        let mut order: Vec<(Date, bool, usize)> = Vec::with_capacity(bookings.len() * 2);
        for (at, row) in bookings.iter().enumerate() {
            order.push((row.booked, false, at));
            order.extend(row.cancelled.map(|date| (date, true, at)));
        }
        // The recording has no times of day: bookings of a day precede its cancellations.
        order.sort_unstable();
        let events: Vec<Event> =
            order.into_iter().map(|(_, cancel, at)| if cancel { Event::Cancel(at) } else { Event::Book(at) }).collect();
        let rooms = peak(&bookings, &events);
        ensure!(rooms <= MAX_ROOMS, "{hotel}, room type {room_type}: {rooms} rooms are held at once");
        let max_occupancy = bookings.iter().map(|row| row.guests).max().context("a lane has no bookings")?;
        Ok(Self { hotel, room_type, bookings, events, rooms, max_occupancy })
    }
}

impl Shift {
    /// Maps a date of the recording to the mesh.
    pub(super) fn there(self, date: Date) -> Date {
        date.saturating_add(self.days.days())
    }

    /// Maps a date of the mesh to the recording.
    pub(super) fn back(self, date: Date) -> Date {
        date.saturating_sub(self.days.days())
    }
}

/// The most rooms that are held in one night at any moment.
fn peak(bookings: &[Row], events: &[Event]) -> i32 {
    let mut held: BTreeMap<Date, i32> = BTreeMap::new();
    let mut peak = 0;
    for event in events {
        let (at, change) = match *event {
            Event::Book(at) => (at, 1),
            Event::Cancel(at) => (at, -1),
        };
        for night in bookings[at].stay.nights() {
            let rooms = held.entry(night).or_default();
            *rooms += change;
            peak = peak.max(*rooms);
        }
    }
    peak
}

/// Days from one date to another; negative if `until` is earlier.
///
/// # Errors
/// When the calendar cannot represent the span.
pub(super) fn days(from: Date, until: Date) -> Result<i32> {
    // With `Unit::Day` as its largest unit, the span between two dates consists of days alone.
    Ok(until.since((Unit::Day, from))?.get_days())
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use staymesh_domain::Money;

    use super::*;

    /// A booking in room type A of one hotel: days from 2016-01-01, nights, and after how many days it was cancelled.
    pub(crate) fn row(number: u64, booked: i32, lead: i32, nights: i32, cancelled: Option<i32>) -> Row {
        let day = |days: i32| date(2016, 1, 1).saturating_add(days.days());
        Row {
            number,
            hotel: "Hill".to_owned(),
            room_type: "A".to_owned(),
            booked: day(booked),
            stay: StayDates::new(day(booked + lead), day(booked + lead + nights)).expect("a stay"),
            guests: 2,
            price: Money::parse("EUR", "80.25").expect("money"),
            cancelled: cancelled.map(|days| day(booked + days)),
        }
    }

    #[test]
    fn bookings_of_a_day_precede_its_cancellations() {
        let plan = Plan::make(vec![row(1, 0, 10, 3, Some(2)), row(2, 2, 8, 3, Some(0)), row(3, 3, 7, 1, None)]);
        let lane = &plan.expect("a plan").lanes[0];
        let expected = [Event::Book(0), Event::Book(1), Event::Cancel(0), Event::Cancel(1), Event::Book(2)];
        assert_eq!(lane.events, expected);
        assert_eq!(lane.rooms, 2);
    }

    #[test]
    fn back_to_back_stays_share_a_room() {
        let plan = Plan::make(vec![row(1, 0, 10, 3, None), row(2, 0, 13, 3, None)]).expect("a plan");
        assert_eq!(plan.lanes[0].rooms, 1);
    }

    #[test]
    fn shift_refuses_recording_longer_than_nights_on_sale() {
        let today = date(2027, 5, 5);
        // From tomorrow in the best case to a week later in the worst.
        let short = Plan::make(vec![row(1, 0, 0, 1, None), row(2, 0, 722, 1, None)]).expect("a plan");
        assert!(short.shift(today).is_ok());
        let long = Plan::make(vec![row(1, 0, 0, 1, None), row(2, 0, 731, 1, None)]).expect("a plan");
        let error = long.shift(today).expect_err("too long").to_string();
        assert!(error.contains("spans 732 days") && error.contains("--until"), "{error}");
        assert!(Plan::make(Vec::new()).is_err());
    }

    pub(crate) fn rows() -> impl Strategy<Value = Vec<Row>> {
        let booking = (0..60, 0..30, 1..10, proptest::option::of(0..60));
        let numbered = |bookings: Vec<(i32, i32, i32, Option<i32>)>| {
            (1..).zip(bookings).map(|(n, (booked, lead, nights, gone))| row(n, booked, lead, nights, gone)).collect()
        };
        proptest::collection::vec(booking, 1..25).prop_map(numbered)
    }

    proptest! {
        #[test]
        fn lane_contains_each_event_once_in_order(rows in rows()) {
            let plan = Plan::make(rows.clone()).expect("a plan");
            let lane = &plan.lanes[0];
            let when = |event: &Event| match *event {
                Event::Book(at) => (lane.bookings[at].booked, false, lane.bookings[at].number),
                Event::Cancel(at) => (lane.bookings[at].cancelled.expect("cancelled"), true, lane.bookings[at].number),
            };
            let happened: Vec<_> = lane.events.iter().map(when).collect();
            prop_assert!(happened.is_sorted());
            let cancelled = rows.iter().filter(|row| row.cancelled.is_some()).count();
            prop_assert_eq!(happened.len(), rows.len() + cancelled);
            for row in &rows {
                let place = |cancel| happened.iter().position(|(_, c, number)| *c == cancel && *number == row.number);
                prop_assert!(row.cancelled.is_none() || place(false) < place(true));
                prop_assert!(place(false).is_some());
            }
        }

        /// Compares with a count from first principles: after every event, the bookings that hold each night.
        #[test]
        fn rooms_equal_the_peak_of_held_bookings(rows in rows()) {
            let plan = Plan::make(rows).expect("a plan");
            let lane = &plan.lanes[0];
            let mut most = 0;
            for until in 1..=lane.events.len() {
                let so_far = &lane.events[..until];
                let held = |at: usize| so_far.contains(&Event::Book(at)) && !so_far.contains(&Event::Cancel(at));
                for booking in &lane.bookings {
                    // The fullest night is the first night of some booking.
                    let night = booking.stay.check_in();
                    let rooms = (0..lane.bookings.len()).filter(|at| held(*at) && lane.bookings[*at].stay.contains(night));
                    most = most.max(rooms.count());
                }
            }
            prop_assert_eq!(i32::try_from(most), Ok(lane.rooms));
        }

        #[test]
        fn shift_moves_first_arrival_into_next_week_and_keeps_weekday(rows in rows(), later in 0..20_000_i32) {
            let plan = Plan::make(rows).expect("a plan");
            let today = date(2000, 1, 1).saturating_add(later.days());
            let shift = plan.shift(today).expect("it fits");
            let (first, last) = plan.nights(shift);
            prop_assert!((1..=7).contains(&days(today, first).expect("a span")));
            prop_assert_eq!(first.weekday(), plan.first_arrival.weekday());
            prop_assert_eq!(shift.back(first), plan.first_arrival);
            prop_assert_eq!(shift.back(last), plan.last_departure);
        }
    }
}
