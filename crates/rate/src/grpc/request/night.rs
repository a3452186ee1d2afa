//! Nights in requests: those to set a price for, and those to list.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};
use staymesh_api::rate::v1 as proto;
use staymesh_domain::{
    DateRange, DateRangeError, FieldError, FieldErrors, Money, Page, PageError, Weekdays, format_date, parse_date,
};
use staymesh_mesh::Problem;

use super::{finish_with, price};

/// The nights to set, and their price; `None` clears their nightly prices.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field.
pub(in crate::grpc) fn nights(request: &proto::SetNightlyPricesRequest) -> Result<(Vec<Date>, Option<Money>), Problem> {
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
    let range = finish_with(errors, range)?;
    Ok((range.on(Weekdays::new(weekdays)).dates().collect(), price.flatten()))
}

/// Which nights to list, and which page of them. Without dates: from today (UTC), for two years.
///
/// # Errors
/// `INVALID_FIELD` naming `from_date`, `until_date`, `page_size` or `page_token`.
pub(in crate::grpc) fn night_list(
    request: &proto::ListNightlyPricesRequest,
) -> Result<(DateRange, Page<Date>), Problem> {
    let range = listed_range(request)?;
    let (hotel_id, room_type_id) = (request.hotel_id.to_string(), request.room_type_id.to_string());
    // The dates as sent: the default "today" may change between two pages.
    let filters = ["nightly_prices", &*hotel_id, &*room_type_id, &*request.from_date, &*request.until_date];
    let page: Page<Date> = Page::parse(request.page_size, &request.page_token, &filters).map_err(FieldError::from)?;
    // Tokens are not signed. A forged one may hold a date outside the range that `parse_date` accepts and the database
    // stores.
    if page.after.is_some_and(|date| parse_date(&format_date(date)).is_err()) {
        return Err(FieldError::from(PageError::Token).into());
    }
    Ok((range, page))
}

fn listed_range(request: &proto::ListNightlyPricesRequest) -> Result<DateRange, Problem> {
    let error = |error: DateRangeError| Problem::from(error.at("from_date", "until_date"));
    let from = match &*request.from_date {
        "" => TimeZone::UTC.to_datetime(Timestamp::now()).date(),
        text => parse_date(text).map_err(|cause| error(DateRangeError::From(cause)))?,
    };
    let until = match &*request.until_date {
        "" => from.checked_add(2.years()).map_err(|error| Problem::internal(&error))?,
        text => parse_date(text).map_err(|cause| error(DateRangeError::Until(cause)))?,
    };
    DateRange::new(from, until).map_err(error)
}
