//! Nights in requests: those to set a price for, and those to list.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use staymesh_api::rate::v1 as proto;
use staymesh_domain::{
    DateRange, DateRangeError, FieldErrors, Money, Page, PageError, Weekdays, format_date, parse_date,
};

use super::price;

/// The nights to set, and their price; `None` clears their nightly prices.
///
/// # Errors
/// Every invalid field.
pub(in crate::grpc) fn nights(
    request: &proto::SetNightlyPricesRequest,
) -> Result<(Vec<Date>, Option<Money>), FieldErrors> {
    let mut errors = FieldErrors::default();
    let range = DateRange::collect(&mut errors, &request.from_date, &request.until_date);
    errors.holds(request.weekdays.len() <= 7, "weekdays", "must have at most 7 entries");
    let mut weekdays = Vec::new();
    for (index, day) in request.weekdays.iter().enumerate().take(7) {
        match i8::try_from(*day).ok().and_then(|day| Weekday::from_monday_one_offset(day).ok()) {
            Some(day) => weekdays.push(day),
            None => errors.range(format!("weekdays[{index}]"), *day, 1, 7),
        }
    }
    let price = request.price.as_ref().map(|amount| errors.value(price(Some(amount), "price")));
    let range = errors.complete(range)?;
    Ok((range.on(Weekdays::new(weekdays)).dates().collect(), price.flatten()))
}

/// Which nights to list, and which page of them. Without dates: from today (UTC), for two years.
///
/// # Errors
/// Every invalid field of `from_date`, `until_date`, `page_size` and `page_token`.
pub(in crate::grpc) fn night_list(
    request: &proto::ListNightlyPricesRequest,
) -> Result<(DateRange, Page<Date>), FieldErrors> {
    let mut errors = FieldErrors::default();
    let range = listed_range(&mut errors, request);
    let (hotel_id, room_type_id) = (request.hotel_id.to_string(), request.room_type_id.to_string());
    // The dates as sent: the default "today" may change between two pages.
    let filters = ["nightly_prices", &*hotel_id, &*room_type_id, &*request.from_date, &*request.until_date];
    let page = Page::<Date>::collect(&mut errors, request.page_size, &request.page_token, &filters);
    // Tokens are not signed. A forged one may hold a date outside the range that `parse_date` accepts and the database
    // stores.
    let after = page.as_ref().and_then(|page| page.after);
    if after.is_some_and(|date| parse_date(&format_date(date)).is_err()) {
        errors.push(PageError::Token);
    }
    errors.complete(range.zip(page))
}

fn listed_range(errors: &mut FieldErrors, request: &proto::ListNightlyPricesRequest) -> Option<DateRange> {
    let at = |error: DateRangeError| error.at("from_date", "until_date");
    let from = match &*request.from_date {
        "" => Some(TimeZone::UTC.to_datetime(Timestamp::now()).date()),
        text => errors.value(parse_date(text).map_err(|error| at(DateRangeError::From(error)))),
    };
    let until = match &*request.until_date {
        "" => from.map(|from| from.saturating_add(2.years())),
        text => errors.value(parse_date(text).map_err(|error| at(DateRangeError::Until(error)))),
    };
    let (from, until) = from.zip(until)?;
    errors.value(DateRange::new(from, until).map_err(at))
}
