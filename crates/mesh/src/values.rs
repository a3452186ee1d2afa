//! Between the contract's shared types and the domain's.

use jiff::Timestamp;
use prost_types::Timestamp as ProtoTimestamp;
use staymesh_api::r#type::v1 as proto;
use staymesh_domain::{FieldError, Money};

/// A point in time for the wire.
pub fn timestamp(time: Timestamp) -> ProtoTimestamp {
    ProtoTimestamp { seconds: time.as_second(), nanos: time.subsec_nanosecond() }
}

/// An amount for the wire.
pub fn money(money: Money) -> proto::Money {
    proto::Money { currency_code: money.currency().code().to_owned(), amount: money.amount() }
}

/// An amount from the wire.
///
/// # Errors
/// Names `field` when it is missing, and the part of it that is wrong otherwise.
pub fn money_from(money: Option<&proto::Money>, field: &str) -> Result<Money, FieldError> {
    let money = money.ok_or_else(|| FieldError::new(field, "is required"))?;
    Money::parse(&money.currency_code, &money.amount).map_err(|error| error.at(field))
}
