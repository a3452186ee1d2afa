//! Messages to domain values. Every function reports all invalid fields at once where a message has several.

pub(super) mod cases;
pub(super) mod partner_credit;
pub(super) mod partner_sales;
pub(super) mod payments;
pub(super) mod payouts;

use staymesh_domain::FieldErrors;
use staymesh_mesh::Problem;

/// `INVALID_FIELD` with these fields.
fn invalid(errors: FieldErrors) -> Problem {
    Problem::fields(errors.into_iter().map(|error| (error.field, error.description)))
}
