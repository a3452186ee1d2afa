//! Rates in requests.

use std::collections::HashSet;

use staymesh_api::rate::v1 as proto;
use staymesh_domain::{FieldError, FieldErrors};

use super::{policy::policy, price};
use crate::model::{OccupancyRule, Rate};

/// Most occupancy rules of a rate.
const MAX_RULES: usize = 20;

/// The rate to set, and the etag it is based on.
///
/// # Errors
/// Every invalid field.
pub(in crate::grpc) fn rate(rate: Option<proto::RoomRate>) -> Result<(Rate, String), FieldErrors> {
    let mut errors = FieldErrors::default();
    let Some(rate) = rate else {
        errors.push(FieldError::new("rate", "is required"));
        return Err(errors);
    };
    let base_price = errors.value(price(rate.base_price.as_ref(), "rate.base_price"));
    let rules = rules(&mut errors, &rate.occupancy_rules);
    let policy = policy(&mut errors, "rate.cancellation_policy", rate.cancellation_policy);
    let (base_price, policy) = errors.complete(base_price.zip(policy))?;
    Ok((Rate { base_price, rules, policy }, rate.etag))
}

/// The occupancy rules, in ascending order of threshold.
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
    let parsed = |rule: &proto::OccupancyRule| OccupancyRule {
        sold_percent: rule.sold_percent,
        price_change_percent: rule.price_change_percent,
    };
    let mut rules: Vec<_> = rules.iter().take(MAX_RULES).map(parsed).collect();
    rules.sort_by_key(|rule| rule.sold_percent);
    rules
}
