//! What a request asks for, checked field by field.

use std::collections::HashSet;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use staymesh_api::rate::v1 as proto;
use staymesh_domain::{
    DateRange, DateRangeError, FieldError, HotelId, Money, RoomCount, RoomTypeId, StayDates, Weekdays, parse_date,
};
use staymesh_mesh::{Problem, values::money_from};

use crate::pricing::{CancellationPolicy, OccupancyRule, Rate, Tax, TaxKind};

const MAX_RULES: usize = 20;
const MAX_TAXES: usize = 20;
const MAX_ROOM_TYPES: usize = 100;

/// Collects what is wrong, so that a caller hears of all of it at once. Lists are bounded before they are walked, and so
/// is this.
#[derive(Default)]
struct Check(Vec<FieldError>);

impl Check {
    fn holds(&mut self, holds: bool, field: impl Into<String>, description: impl Into<String>) {
        if !holds {
            self.0.push(FieldError::new(field, description));
        }
    }

    fn range(&mut self, field: impl Into<String>, value: i32, min: i32, max: i32) {
        self.holds((min..=max).contains(&value), field, format!("must be from {min} to {max}, not {value}"));
    }

    /// The value, if it is one; otherwise what is wrong with it is noted.
    fn value<T>(&mut self, result: Result<T, impl Into<FieldError>>) -> Option<T> {
        result.map_err(|error| self.0.push(error.into())).ok()
    }

    fn refuse(self) -> Result<(), Problem> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Problem::fields(self.0.into_iter().map(|error| (error.field, error.description))))
    }

    /// What could be read, unless something was wrong.
    fn finish<T>(self, read: Option<T>) -> Result<T, Problem> {
        self.refuse()?;
        read.ok_or_else(|| Problem::internal(&"a request was neither read nor refused"))
    }
}

/// The ids in the path of a room type.
pub(super) fn ids(hotel_id: i32, room_type_id: i32) -> Result<(), Problem> {
    let mut check = Check::default();
    check.value(HotelId::try_from(hotel_id));
    check.value(RoomTypeId::try_from(room_type_id));
    check.refuse()
}

/// A rate that a room type shall have.
pub(super) fn rate(rate: Option<proto::RoomRate>) -> Result<Rate, Problem> {
    let rate = rate.ok_or_else(|| Problem::field("rate", "is required"))?;
    let mut check = Check::default();
    let base_price = check.value(money_from(rate.base_price.as_ref(), "rate.base_price"));
    let rules = rules(&mut check, &rate.occupancy_rules);
    let policy = rate.cancellation_policy.unwrap_or_default();
    let policy = CancellationPolicy {
        free_until_hours_before: policy.free_until_hours_before,
        late_penalty_percent: policy.late_penalty_percent,
    };
    let field = "rate.cancellation_policy";
    check.range(format!("{field}.free_until_hours_before"), policy.free_until_hours_before, 0, 8_760);
    check.range(format!("{field}.late_penalty_percent"), policy.late_penalty_percent, 0, 100);
    check.finish(base_price.map(|base_price| Rate { base_price, rules, policy }))
}

fn rules(check: &mut Check, rules: &[proto::OccupancyRule]) -> Vec<OccupancyRule> {
    let field = "rate.occupancy_rules";
    check.holds(rules.len() <= MAX_RULES, field, format!("must have at most {MAX_RULES} entries, not {}", rules.len()));
    let mut thresholds = HashSet::new();
    for (index, rule) in rules.iter().enumerate().take(MAX_RULES) {
        let threshold = format!("{field}[{index}].sold_percent");
        check.holds(thresholds.insert(rule.sold_percent), &threshold, "is the threshold of an earlier rule");
        check.range(threshold, rule.sold_percent, 1, 100);
        check.range(format!("{field}[{index}].price_change_percent"), rule.price_change_percent, -90, 400);
    }
    let read = |rule: &proto::OccupancyRule| OccupancyRule {
        sold_percent: rule.sold_percent,
        price_change_percent: rule.price_change_percent,
    };
    let mut rules: Vec<_> = rules.iter().take(MAX_RULES).map(read).collect();
    rules.sort_by_key(|rule| rule.sold_percent);
    rules
}

/// The taxes that a hotel shall have.
pub(super) fn taxes(taxes: Vec<proto::Tax>) -> Result<Vec<Tax>, Problem> {
    let mut check = Check::default();
    check.holds(
        taxes.len() <= MAX_TAXES,
        "taxes",
        format!("must have at most {MAX_TAXES} entries, not {}", taxes.len()),
    );
    let mut names = HashSet::new();
    let mut read = Vec::new();
    for (index, tax) in taxes.into_iter().enumerate().take(MAX_TAXES) {
        let name = format!("taxes[{index}].display_name");
        let (text, length) = (&tax.display_name, tax.display_name.chars().take(101).count());
        check.holds((1..=100).contains(&length), &name, "is required; 1 to 100 characters");
        check.holds(!text.chars().any(char::is_control), &name, "must not hold control characters");
        check.holds(text.trim() == text, &name, "must not begin or end with a space");
        check.holds(names.insert(text.clone()), name, "is the name of an earlier tax");
        if let Some(kind) = tax_kind(&mut check, index, tax.kind) {
            read.push(Tax { display_name: tax.display_name, kind });
        }
    }
    check.refuse()?;
    Ok(read)
}

fn tax_kind(check: &mut Check, index: usize, kind: Option<proto::tax::Kind>) -> Option<TaxKind> {
    match kind {
        Some(proto::tax::Kind::BasisPoints(points)) => {
            check.range(format!("taxes[{index}].basis_points"), points, 1, 10_000);
            Some(TaxKind::BasisPoints(points))
        }
        Some(proto::tax::Kind::PerRoomNight(amount)) => {
            let amount = money_from(Some(&amount), &format!("taxes[{index}].per_room_night"));
            check.value(amount).map(TaxKind::PerRoomNight)
        }
        None => {
            check.holds(false, format!("taxes[{index}]"), "must have basis_points or per_room_night");
            None
        }
    }
}

/// Nights that shall have a price, or the base price.
pub(super) fn nights(request: &proto::SetNightlyPricesRequest) -> Result<(Vec<Date>, Option<Money>), Problem> {
    let mut check = Check::default();
    let range = DateRange::parse(&request.from_date, &request.until_date);
    let range = check.value(range.map_err(|error| error.at("from_date", "until_date")));
    check.holds(request.weekdays.len() <= 7, "weekdays", "must have at most 7 entries");
    let mut weekdays = Vec::new();
    for (index, day) in request.weekdays.iter().enumerate().take(7) {
        match i8::try_from(*day).ok().and_then(|day| Weekday::from_monday_one_offset(day).ok()) {
            Some(day) => weekdays.push(day),
            None => check.range(format!("weekdays[{index}]"), *day, 1, 7),
        }
    }
    let price = request.price.as_ref().map(|price| money_from(Some(price), "price"));
    let price = price.map(|price| check.value(price));
    let range = check.finish(range)?;
    Ok((range.on(Weekdays::new(weekdays)).dates().collect(), price.flatten()))
}

/// The nights that a list is about: from today, and for two years, unless it says otherwise.
pub(super) fn listed(request: &proto::ListNightlyPricesRequest) -> Result<DateRange, FieldError> {
    let error = |error: DateRangeError| error.at("from_date", "until_date");
    let from = match &*request.from_date {
        "" => TimeZone::UTC.to_datetime(Timestamp::now()).date(),
        text => parse_date(text).map_err(|cause| error(DateRangeError::From(cause)))?,
    };
    let until = match &*request.until_date {
        "" => from.saturating_add(2.years()),
        text => parse_date(text).map_err(|cause| error(DateRangeError::Until(cause)))?,
    };
    DateRange::new(from, until).map_err(error)
}

/// A stay to price.
pub(super) fn stay(request: &proto::PriceStayRequest) -> Result<(StayDates, RoomCount), Problem> {
    let mut check = Check::default();
    check.value(HotelId::try_from(request.hotel_id));
    let stay = check.value(StayDates::parse(&request.check_in, &request.check_out));
    let rooms = check.value(RoomCount::try_from(request.rooms));
    let types = request.room_types.len();
    check.holds(
        (1..=MAX_ROOM_TYPES).contains(&types),
        "room_types",
        format!("must have 1 to {MAX_ROOM_TYPES} entries, not {types}"),
    );
    for (index, demand) in request.room_types.iter().enumerate().take(MAX_ROOM_TYPES) {
        let field = format!("room_types[{index}]");
        check.value(
            RoomTypeId::try_from(demand.room_type_id).map_err(|error| error.at(format!("{field}.room_type_id"))),
        );
        let sold = &demand.sold_percent;
        let nights = stay.map(|stay| usize::try_from(stay.night_count()).unwrap_or_default());
        check.holds(
            nights.is_none_or(|nights| nights == sold.len()),
            format!("{field}.sold_percent"),
            "must have one entry for each night of the stay",
        );
        if let Some(night) = sold.iter().position(|sold| *sold < 0) {
            check.holds(false, format!("{field}.sold_percent[{night}]"), "must not be negative");
        }
    }
    check.finish(stay.zip(rooms))
}
