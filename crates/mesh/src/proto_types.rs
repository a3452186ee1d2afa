//! Conversions between the shared messages of the contract (`staymesh.type.v1`, `google.protobuf.Timestamp`) and domain
//! types.

use jiff::Timestamp;
use prost_types::Timestamp as ProtoTimestamp;
use staymesh_api::r#type::v1 as proto;
use staymesh_domain::{FieldError, Money};

/// An instant as `google.protobuf.Timestamp`.
pub fn timestamp(time: Timestamp) -> ProtoTimestamp {
    ProtoTimestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// A time of a request that may leave it out, of the years 1 to 9999 as `google.protobuf.Timestamp` has it.
///
/// # Errors
/// A violation of `field` if it is no time.
pub fn optional_time(time: Option<ProtoTimestamp>, field: &str) -> Result<Option<Timestamp>, FieldError> {
    let parse = |time: ProtoTimestamp| {
        Timestamp::new(time.seconds, time.nanos).map_err(|_| FieldError::new(field, "is not a time"))
    };
    time.map(parse).transpose()
}

/// An amount as `staymesh.type.v1.Money`: currency code and decimal text in major units.
pub fn money(money: Money) -> proto::Money {
    proto::Money { currency_code: money.currency().code().to_owned(), amount: money.amount() }
}

/// Parses a required `staymesh.type.v1.Money` in the request field `field`.
///
/// # Errors
/// A violation of `field` if it is missing, or of `field.currency_code` or `field.amount` if that part is invalid.
pub fn money_from(money: Option<&proto::Money>, field: &str) -> Result<Money, FieldError> {
    let money = money.ok_or_else(|| FieldError::new(field, "is required"))?;
    Money::parse(&money.currency_code, &money.amount).map_err(|error| error.at(field))
}
