//! The present date at a hotel.

use anyhow::{Context, Result};
use jiff::{Timestamp, civil::Date};
use staymesh_domain::time_zone;

/// The date in the IANA time zone `zone` of a hotel: nights before it cannot be sold.
///
/// # Errors
/// When there is no such time zone.
pub(crate) fn today_in(zone: &str) -> Result<Date> {
    let rules = time_zone(zone).with_context(|| format!("unknown time zone: {zone}"))?;
    Ok(Timestamp::now().to_zoned(rules).date())
}
