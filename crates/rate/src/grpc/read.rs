//! What a request asks for, checked field by field.

use std::collections::HashSet;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use staymesh_api::{rate::v1 as proto, r#type::v1 as types};
use staymesh_domain::{
    DateRange, DateRangeError, FieldError, FieldErrors, HotelId, Money, RoomCount, RoomTypeId, StayDates, Weekdays,
    parse_date,
};
use staymesh_mesh::{Problem, proto_types::money_from};

use crate::pricing::{CancellationPolicy, OccupancyRule, Rate, Tax, TaxKind};

const MAX_RULES: usize = 20;
const MAX_TAXES: usize = 20;
const MAX_ROOM_TYPES: usize = 100;

/// Refuses the request if anything was wrong.
fn refuse(errors: FieldErrors) -> Result<(), Problem> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem::fields(errors.into_iter().map(|error| (error.field, error.description))))
}

/// What could be read, unless something was wrong.
fn finish<T>(errors: FieldErrors, read: Option<T>) -> Result<T, Problem> {
    refuse(errors)?;
    read.ok_or_else(|| Problem::internal(&"a request was neither read nor refused"))
}

/// A price, which is more than nothing: what costs nothing could never be paid for.
fn price(amount: Option<&types::Money>, field: &str) -> Result<Money, FieldError> {
    let price = money_from(amount, field)?;
    if price.minor() > 0 {
        return Ok(price);
    }
    Err(FieldError::new(format!("{field}.amount"), "must be more than zero"))
}

/// The ids in the path of a room type.
pub(super) fn ids(hotel_id: i32, room_type_id: i32) -> Result<(), Problem> {
    let mut errors = FieldErrors::default();
    errors.value(HotelId::try_from(hotel_id));
    errors.value(RoomTypeId::try_from(room_type_id));
    refuse(errors)
}

/// A rate that a room type shall have.
pub(super) fn rate(rate: Option<proto::RoomRate>) -> Result<Rate, Problem> {
    let rate = rate.ok_or_else(|| Problem::field("rate", "is required"))?;
    let mut errors = FieldErrors::default();
    let base_price = errors.value(price(rate.base_price.as_ref(), "rate.base_price"));
    let rules = rules(&mut errors, &rate.occupancy_rules);
    let policy = rate.cancellation_policy.unwrap_or_default();
    let policy = CancellationPolicy {
        free_until_hours_before: policy.free_until_hours_before,
        late_penalty_percent: policy.late_penalty_percent,
    };
    let field = "rate.cancellation_policy";
    errors.range(format!("{field}.free_until_hours_before"), policy.free_until_hours_before, 0, 8_760);
    errors.range(format!("{field}.late_penalty_percent"), policy.late_penalty_percent, 0, 100);
    finish(errors, base_price.map(|base_price| Rate { base_price, rules, policy }))
}

fn rules(errors: &mut FieldErrors, rules: &[proto::OccupancyRule]) -> Vec<OccupancyRule> {
    let field = "rate.occupancy_rules";
    errors.holds(
        rules.len() <= MAX_RULES,
        field,
        format!("must have at most {MAX_RULES} entries, not {}", rules.len()),
    );
    let mut thresholds = HashSet::new();
    for (index, rule) in rules.iter().enumerate().take(MAX_RULES) {
        let threshold = format!("{field}[{index}].sold_percent");
        errors.holds(thresholds.insert(rule.sold_percent), &threshold, "is the threshold of an earlier rule");
        errors.range(threshold, rule.sold_percent, 1, 100);
        errors.range(format!("{field}[{index}].price_change_percent"), rule.price_change_percent, -90, 400);
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
    let mut errors = FieldErrors::default();
    errors.holds(
        taxes.len() <= MAX_TAXES,
        "taxes",
        format!("must have at most {MAX_TAXES} entries, not {}", taxes.len()),
    );
    let mut names = HashSet::new();
    let mut read = Vec::new();
    for (index, tax) in taxes.into_iter().enumerate().take(MAX_TAXES) {
        let name = format!("taxes[{index}].display_name");
        let (text, length) = (&tax.display_name, tax.display_name.chars().take(101).count());
        errors.holds((1..=100).contains(&length), &name, "is required; 1 to 100 characters");
        errors.holds(!text.chars().any(char::is_control), &name, "must not hold control characters");
        errors.holds(text.trim() == text, &name, "must not begin or end with a space");
        errors.holds(names.insert(text.clone()), name, "is the name of an earlier tax");
        if let Some(kind) = tax_kind(&mut errors, index, tax.kind) {
            read.push(Tax { display_name: tax.display_name, kind });
        }
    }
    refuse(errors)?;
    Ok(read)
}

fn tax_kind(errors: &mut FieldErrors, index: usize, kind: Option<proto::tax::Kind>) -> Option<TaxKind> {
    match kind {
        Some(proto::tax::Kind::BasisPoints(points)) => {
            errors.range(format!("taxes[{index}].basis_points"), points, 1, 10_000);
            Some(TaxKind::BasisPoints(points))
        }
        Some(proto::tax::Kind::PerRoomNight(amount)) => {
            let amount = money_from(Some(&amount), &format!("taxes[{index}].per_room_night"));
            errors.value(amount).map(TaxKind::PerRoomNight)
        }
        None => {
            errors.holds(false, format!("taxes[{index}]"), "must have basis_points or per_room_night");
            None
        }
    }
}

/// Nights that shall have a price, or the base price.
pub(super) fn nights(request: &proto::SetNightlyPricesRequest) -> Result<(Vec<Date>, Option<Money>), Problem> {
    let mut errors = FieldErrors::default();
    let range = DateRange::parse(&request.from_date, &request.until_date);
    let range = errors.value(range.map_err(|error| error.at("from_date", "until_date")));
    errors.holds(request.weekdays.len() <= 7, "weekdays", "must have at most 7 entries");
    let mut weekdays = Vec::new();
    for (index, day) in request.weekdays.iter().enumerate().take(7) {
        match i8::try_from(*day).ok().and_then(|day| Weekday::from_monday_one_offset(day).ok()) {
            Some(day) => weekdays.push(day),
            None => errors.range(format!("weekdays[{index}]"), *day, 1, 7),
        }
    }
    let price = request.price.as_ref().map(|amount| errors.value(price(Some(amount), "price")));
    let range = finish(errors, range)?;
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
    let mut errors = FieldErrors::default();
    errors.value(HotelId::try_from(request.hotel_id));
    let stay = errors.value(StayDates::parse(&request.check_in, &request.check_out));
    let rooms = errors.value(RoomCount::try_from(request.rooms));
    let types = request.room_types.len();
    errors.holds(
        (1..=MAX_ROOM_TYPES).contains(&types),
        "room_types",
        format!("must have 1 to {MAX_ROOM_TYPES} entries, not {types}"),
    );
    for (index, demand) in request.room_types.iter().enumerate().take(MAX_ROOM_TYPES) {
        let field = format!("room_types[{index}]");
        errors.value(
            RoomTypeId::try_from(demand.room_type_id).map_err(|error| error.at(format!("{field}.room_type_id"))),
        );
        let sold = &demand.sold_percent;
        let nights = stay.map(|stay| usize::try_from(stay.night_count()).unwrap_or_default());
        errors.holds(
            nights.is_none_or(|nights| nights == sold.len()),
            format!("{field}.sold_percent"),
            "must have one entry for each night of the stay",
        );
        if let Some(night) = sold.iter().position(|sold| *sold < 0) {
            errors.holds(false, format!("{field}.sold_percent[{night}]"), "must not be negative");
        }
    }
    finish(errors, stay.zip(rooms))
}
