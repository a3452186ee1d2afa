//! The words every Staymesh service shares: ids, money, stays, counts, pages.
//!
//! Pure values without I/O and without protobuf. A value that exists is valid: constructors check, and there is no way
//! around them. What a constructor refuses it refuses with an error that says why without repeating long input, and
//! that turns into a [`FieldError`] naming the request field, which a gRPC layer reports as a `BadRequest` violation:
//!
//! ```
//! use staymesh_domain::{FieldError, HotelId, Money, StayDates};
//!
//! fn check(hotel_id: i32, check_in: &str, check_out: &str, amount: &str) -> Result<(), FieldError> {
//!     HotelId::try_from(hotel_id)?; // knows its own field
//!     StayDates::parse(check_in, check_out)?; // tells check_in from check_out
//!     Money::parse("EUR", amount).map_err(|e| e.at("price"))?; // money is called differently everywhere
//!     Ok(())
//! }
//!
//! assert_eq!(check(0, "2027-03-01", "2027-03-02", "1").unwrap_err().field, "hotel_id");
//! assert_eq!(check(1, "2027-03-01", "2027-02-30", "1").unwrap_err().field, "check_out");
//! assert_eq!(check(1, "2027-03-01", "2027-03-02", "1.234").unwrap_err().field, "price.amount");
//! ```

mod counts;
mod date;
mod date_range;
mod duration;
mod email;
mod field_error;
mod field_errors;
mod ids;
mod money;
mod page;
mod request_id;
mod reservation_id;
mod stay_dates;

pub use counts::{CountError, GuestCount, RoomCount};
pub use date::{DateError, format_date, parse_date};
pub use date_range::{DateRange, DateRangeError, Weekdays};
pub use duration::parse_duration;
pub use email::{Email, EmailError};
pub use field_error::FieldError;
pub use field_errors::FieldErrors;
pub use ids::{HotelId, IdError, PaymentId, RoomId, RoomTypeId, UserId};
pub use money::{Currency, Money, MoneyError};
pub use page::{Page, PageError, PageSize};
pub use request_id::{parse_optional_request_id, parse_request_id};
pub use reservation_id::{RESERVATION_HOTEL_ID_CHECK, RESERVATION_HOTEL_ID_FUNCTION, ReservationId};
pub use stay_dates::{StayDates, StayDatesError};
