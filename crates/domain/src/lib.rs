//! Domain types that every Staymesh service shares: ids, money, stays, counts, e-mail addresses, texts, pages.
//!
//! Pure values without I/O and without protobuf. Every value is valid, because the only way to create one is a constructor
//! that validates. Its error says why without repeating long input, and converts to a [`FieldError`] that names the request
//! field; the gRPC layer reports that as a `BadRequest` violation:
//!
//! ```
//! use staymesh_domain::{FieldError, HotelId, Money, StayDates};
//!
//! fn check(hotel_id: i32, check_in: &str, check_out: &str, amount: &str) -> Result<(), FieldError> {
//!     HotelId::try_from(hotel_id)?; // the error names `hotel_id`
//!     StayDates::parse(check_in, check_out)?; // names `check_in` or `check_out`
//!     Money::parse("EUR", amount).map_err(|e| e.at("price"))?; // the caller names the field
//!     Ok(())
//! }
//!
//! assert_eq!(check(0, "2027-03-01", "2027-03-02", "1").unwrap_err().field, "hotel_id");
//! assert_eq!(check(1, "2027-03-01", "2027-02-30", "1").unwrap_err().field, "check_out");
//! assert_eq!(check(1, "2027-03-01", "2027-03-02", "1.234").unwrap_err().field, "price.amount");
//! ```

mod cancellation;
mod card_number;
mod client_id;
mod country;
mod counts;
mod date;
mod date_range;
mod duration;
mod email;
mod field_error;
mod field_errors;
mod hotel_time;
mod ids;
mod language;
mod local_time;
mod money;
mod page;
mod party;
mod request_id;
mod reservation_id;
mod spread;
mod stay_dates;
mod text;
mod written_date;

pub use cancellation::{
    Anchor, CancellationPolicy, CancellationTerms, Deadline, EarlyDeparture, Exceptions, FreeUntil, Grace, Penalty,
    PenaltyBase, ResolveError, Stay, Tier, Until,
};
pub use card_number::has_card_number;
pub use client_id::ClientId;
pub use country::is_country;
pub use counts::{CountError, GuestCount, RoomCount, metric_count};
pub use date::{DateError, format_date, parse_date};
pub use date_range::{DateRange, DateRangeError, Weekdays};
pub use duration::parse_duration;
pub use email::{Email, EmailError};
pub use field_error::FieldError;
pub use field_errors::FieldErrors;
pub use hotel_time::{DateOutOfRange, HotelTime, HotelTimeError, time_zone};
pub use ids::{HotelId, IdError, PaymentId, RoomId, RoomTypeId, UserId};
pub use language::{Language, LanguageError};
pub use local_time::{LocalTimeError, format_local_time, parse_local_time};
pub use money::{Currency, Money, MoneyError};
pub use page::{Page, PageError, PageSize};
pub use party::{
    AgeBand, AgeBands, ChildRules, Heads, Misfit, Occupancy, OccupancyError, Parties, PartiesError, Party,
    PartyFormatError,
};
pub use request_id::{parse_optional_request_id, parse_request_id};
pub use reservation_id::{RESERVATION_HOTEL_ID_CHECK, RESERVATION_HOTEL_ID_FUNCTION, ReservationId};
pub use stay_dates::{StayDates, StayDatesError};
pub use text::{Text, TextError};
