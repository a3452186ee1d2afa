//! Compares the recording with the services, by month and by booking.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
};

use jiff::civil::Date;
use serde::{Serialize, Serializer};
use staymesh_domain::StayDates;

use super::{
    plan::{Plan, Shift},
    recording::Row,
    sold::{Reserved, Sold},
};

/// A month of a hotel in the recording's own dates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Month {
    pub(super) hotel: String,
    /// `2015-07`.
    pub(super) month: String,
}

/// Exact cents. Wider than any sum of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cents(pub(super) i128);

/// The figures of a month. Bookings, nights and money count for the month of arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Totals {
    pub(super) bookings: i64,
    pub(super) cancellations: i64,
    /// Of bookings that were not cancelled.
    pub(super) room_nights: i64,
    /// Of bookings that were not cancelled.
    pub(super) revenue: Cents,
    /// Of all bookings.
    pub(super) booked_revenue: Cents,
    /// Reserved room nights of this month in the inventory, whatever the month of arrival.
    pub(super) rooms_taken: i64,
}

/// The figures of a month in the recording and in the services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) recorded: Totals,
    pub(super) answered: Totals,
}

/// The result of the comparison.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) months: BTreeMap<Month, Line>,
    /// A description of each booking that differs from the recording.
    pub(super) faults: Vec<String>,
}

/// The state of a hotel in the services.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) hotel: String,
    pub(super) sold: Vec<Sold>,
    pub(super) reserved: Vec<Reserved>,
    /// The recording's names of the room types.
    pub(super) room_types: HashMap<i32, String>,
}

impl Comparison {
    pub(super) fn new(plan: &Plan, shift: Shift, answers: &[Answers]) -> Self {
        let mut months: BTreeMap<Month, Line> = BTreeMap::new();
        for row in plan.bookings() {
            let totals = &mut months.entry(month(&row.hotel, row.stay.check_in())).or_default().recorded;
            totals.add(row.stay, 1, row.total_minor(), row.cancelled.is_some(), row.cancelled.is_none());
            for night in row.stay.nights().filter(|_| row.cancelled.is_none()) {
                months.entry(month(&row.hotel, night)).or_default().recorded.rooms_taken += 1;
            }
        }
        for Answers { hotel, sold, reserved, .. } in answers {
            for sold in sold {
                let arrival = shift.back(sold.stay.check_in());
                let totals = &mut months.entry(month(hotel, arrival)).or_default().answered;
                totals.add(sold.stay, sold.rooms, sold.total_minor, sold.is_cancelled(), sold.is_kept());
            }
            for reserved in reserved.iter().filter(|reserved| reserved.rooms != 0) {
                let night = shift.back(reserved.night);
                months.entry(month(hotel, night)).or_default().answered.rooms_taken += i64::from(reserved.rooms);
            }
        }
        Self { months, faults: faults(plan, shift, answers) }
    }

    pub(super) fn is_exact(&self) -> bool {
        self.faults.is_empty() && self.months.values().all(Line::is_exact)
    }

    /// Both sides of all months together.
    pub(super) fn sum(&self) -> Line {
        self.months.values().fold(Line::default(), |sum, line| Line {
            recorded: sum.recorded.plus(&line.recorded),
            answered: sum.answered.plus(&line.answered),
        })
    }
}

impl Line {
    pub(super) fn is_exact(&self) -> bool {
        self.recorded == self.answered
    }
}

impl Totals {
    fn add(&mut self, stay: StayDates, rooms: i32, total_minor: i64, cancelled: bool, kept: bool) {
        self.bookings += 1;
        self.cancellations += i64::from(cancelled);
        self.booked_revenue.0 += i128::from(total_minor);
        if kept {
            self.room_nights += i64::from(stay.night_count()) * i64::from(rooms);
            self.revenue.0 += i128::from(total_minor);
        }
    }

    fn plus(&self, other: &Self) -> Self {
        Self {
            bookings: self.bookings + other.bookings,
            cancellations: self.cancellations + other.cancellations,
            room_nights: self.room_nights + other.room_nights,
            revenue: Cents(self.revenue.0 + other.revenue.0),
            booked_revenue: Cents(self.booked_revenue.0 + other.booked_revenue.0),
            rooms_taken: self.rooms_taken + other.rooms_taken,
        }
    }
}

impl fmt::Display for Cents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, cents) = (self.0 / 100, self.0 % 100);
        let sign = if self.0 < 0 { "-" } else { "" };
        f.pad(&format!("{sign}{}.{:02}", whole.abs(), cents.abs()))
    }
}

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn month(hotel: &str, date: Date) -> Month {
    Month { hotel: hotel.to_owned(), month: date.strftime("%Y-%m").to_string() }
}

/// Every booking of the recording must be there once and as recorded, and nothing else.
fn faults(plan: &Plan, shift: Shift, answers: &[Answers]) -> Vec<String> {
    let rows: HashMap<u64, &Row> = plan.bookings().map(|row| (row.number, row)).collect();
    let mut missing: BTreeSet<u64> = rows.keys().copied().collect();
    let mut faults = Vec::new();
    for answers in answers {
        for sold in &answers.sold {
            let id = &sold.reservation_id;
            match sold.number.and_then(|number| rows.get(&number)) {
                None => faults.push(format!("reservation {id} of {} is in no row", answers.hotel)),
                Some(row) if !missing.remove(&row.number) => {
                    faults.push(format!("row {} is booked again as {id}", row.number));
                }
                Some(row) => faults.extend(
                    differences(row, sold, shift, answers)
                        .into_iter()
                        .map(|what| format!("row {}, reservation {id}: {what}", row.number)),
                ),
            }
        }
    }
    faults.extend(missing.into_iter().map(|number| format!("row {number} is not booked")));
    faults
}

fn differences(row: &Row, sold: &Sold, shift: Shift, answers: &Answers) -> Vec<String> {
    let mut different = Vec::new();
    let mut must = |same: bool, what: String| {
        if !same {
            different.push(what);
        }
    };
    let stay = (shift.back(sold.stay.check_in()), shift.back(sold.stay.check_out()));
    let (cents, recorded) = (|minor: i64| Cents(minor.into()), row.total_minor());
    must(answers.hotel == row.hotel, format!("in {} instead of {}", answers.hotel, row.hotel));
    must(
        answers.room_types.get(&sold.room_type_id) == Some(&row.room_type),
        format!("room type {} is not {}", sold.room_type_id, row.room_type),
    );
    must(
        stay == (row.stay.check_in(), row.stay.check_out()),
        format!("{}..{} instead of {}", stay.0, stay.1, row.stay),
    );
    must(sold.rooms == 1, format!("{} rooms", sold.rooms));
    must(sold.total_minor == recorded, format!("{} instead of {}", cents(sold.total_minor), cents(recorded)));
    let as_recorded = if row.cancelled.is_some() { sold.is_cancelled() } else { sold.is_kept() };
    let recorded = if row.cancelled.is_some() { "cancelled" } else { "kept" };
    must(as_recorded, format!("{} instead of {recorded}", sold.status.as_str_name()));
    different
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use staymesh_api::reservation::v1::ReservationStatus;

    use super::{
        super::plan::tests::{row, rows},
        *,
    };

    const SHIFT: Shift = Shift { days: 4123 };

    /// The state of services that executed the recording exactly.
    fn faithful(rows: &[Row]) -> Answers {
        let there = |row: &Row| StayDates::new(SHIFT.there(row.stay.check_in()), SHIFT.there(row.stay.check_out()));
        let sold = rows.iter().map(|row| Sold {
            number: Some(row.number),
            reservation_id: format!("r{}", row.number),
            room_type_id: 7,
            stay: there(row).expect("a stay"),
            rooms: 1,
            status: if row.cancelled.is_some() { ReservationStatus::Cancelled } else { ReservationStatus::Paid },
            total_minor: row.total_minor(),
        });
        let kept = rows.iter().filter(|row| row.cancelled.is_none());
        let reserved =
            kept.flat_map(|row| row.stay.nights()).map(|night| Reserved { night: SHIFT.there(night), rooms: 1 });
        Answers {
            hotel: "Hill".to_owned(),
            sold: sold.collect(),
            reserved: reserved.collect(),
            room_types: HashMap::from([(7, "A".to_owned())]),
        }
    }

    fn compare(rows: &[Row], answers: Answers) -> Comparison {
        Comparison::new(&Plan::make(rows.to_vec()).expect("a plan"), SHIFT, &[answers])
    }

    #[test]
    fn month_totals_count_bookings_nights_and_money() {
        // Arrive on 30 January for four nights, 29 January for one, and 1 February for two.
        let rows = [row(1, 0, 29, 4, None), row(2, 0, 28, 1, Some(3)), row(3, 0, 31, 2, None)];
        let comparison = compare(&rows, faithful(&rows));
        let totals = comparison.months.values().map(|line| line.answered).collect::<Vec<_>>();
        let january = Totals {
            bookings: 2,
            cancellations: 1,
            room_nights: 4,
            revenue: Cents(32_100),
            booked_revenue: Cents(40_125),
            rooms_taken: 2,
        };
        let february = Totals {
            bookings: 1,
            cancellations: 0,
            room_nights: 2,
            revenue: Cents(16_050),
            booked_revenue: Cents(16_050),
            rooms_taken: 4,
        };
        assert_eq!(totals, [january, february]);
        assert!(comparison.is_exact(), "{comparison:?}");
        assert_eq!(comparison.sum().recorded.revenue.to_string(), "481.50");
        assert_eq!(Cents(-5).to_string(), "-0.05");
    }

    #[test]
    fn compare_names_each_difference() {
        let rows = [row(1, 0, 29, 4, None), row(2, 0, 28, 1, Some(3))];
        let seen = |change: fn(&mut Answers)| {
            let mut answers = faithful(&rows);
            change(&mut answers);
            let comparison = compare(&rows, answers);
            assert!(!comparison.is_exact(), "{comparison:?}");
            comparison
        };
        let named = |change: fn(&mut Answers), words: &str| {
            let faults = seen(change).faults;
            assert!(faults.iter().any(|fault| fault.contains(words)), "{words} not in {faults:?}");
        };
        named(|answers| drop(answers.sold.pop()), "row 2 is not booked");
        named(|answers| answers.sold.push(answers.sold[0].clone()), "row 1 is booked again");
        named(|answers| answers.sold[0].number = None, "in no row");
        named(|answers| answers.sold[0].number = Some(99), "in no row");
        named(|answers| answers.sold[0].total_minor += 1, "321.01 instead of 321.00");
        named(|answers| answers.sold[0].rooms = 2, "2 rooms");
        named(|answers| answers.sold[0].room_type_id = 8, "room type 8 is not A");
        named(|answers| answers.sold[0].status = ReservationStatus::Refunded, "instead of kept");
        named(|answers| answers.sold[1].status = ReservationStatus::Paid, "instead of cancelled");
        named(|answers| answers.sold[0].status = ReservationStatus::PendingPayment, "instead of kept");
        let lost = seen(|answers| answers.reserved.truncate(3));
        assert!(lost.faults.is_empty(), "the inventory alone is wrong");
    }

    #[test]
    fn compare_detects_surplus_reserved_room() {
        let rows = [row(1, 0, 29, 4, None)];
        let mut answers = faithful(&rows);
        answers.reserved[3].rooms = 2;
        let comparison = compare(&rows, answers);
        let wrong: Vec<_> = comparison.months.iter().filter(|(_, line)| !line.is_exact()).collect();
        assert_eq!(wrong.len(), 1);
        assert_eq!((wrong[0].0.month.as_str(), wrong[0].1.answered.rooms_taken), ("2016-02", 3));
    }

    proptest! {
        #[test]
        fn compare_accepts_exact_services_and_detects_one_cent(rows in rows(), which in any::<prop::sample::Index>()) {
            prop_assert!(compare(&rows, faithful(&rows)).is_exact());
            let mut answers = faithful(&rows);
            let at = which.index(rows.len());
            answers.sold[at].total_minor -= 1;
            let comparison = compare(&rows, answers);
            prop_assert_eq!(comparison.months.values().filter(|line| !line.is_exact()).count(), 1);
            prop_assert_eq!(comparison.faults.len(), 1);
        }
    }
}
