//! Between the contract's shared types and the domain's.

use jiff::{Timestamp, civil::Date};
use prost_types::Timestamp as ProtoTimestamp;

/// A point in time for the wire.
pub fn timestamp(time: Timestamp) -> ProtoTimestamp {
    ProtoTimestamp {
        seconds: time.as_second(),
        nanos: time.subsec_nanosecond(),
    }
}

/// A date for the wire: `yyyy-mm-dd`.
pub fn date(date: Date) -> String {
    date.to_string()
}
