//! Taxes in requests.

use std::collections::HashSet;

use staymesh_api::rate::v1 as proto;
use staymesh_domain::FieldErrors;
use staymesh_mesh::{Problem, proto_types::money_from};

use super::{finish, within_offers};
use crate::model::{Tax, TaxKind};

/// Most taxes of a hotel.
const MAX_TAXES: usize = 20;

/// The taxes that replace those of a hotel.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field.
pub(in crate::grpc) fn taxes(taxes: Vec<proto::Tax>) -> Result<Vec<Tax>, Problem> {
    let mut errors = FieldErrors::default();
    errors.holds(
        taxes.len() <= MAX_TAXES,
        "taxes",
        format!("must have at most {MAX_TAXES} entries, not {}", taxes.len()),
    );
    let mut names = HashSet::new();
    let mut parsed = Vec::new();
    for (index, tax) in taxes.into_iter().enumerate().take(MAX_TAXES) {
        let name = format!("taxes[{index}].display_name");
        let (text, length) = (&tax.display_name, tax.display_name.chars().take(101).count());
        errors.holds((1..=100).contains(&length), &name, "is required; 1 to 100 characters");
        errors.holds(!text.chars().any(char::is_control), &name, "must not contain control characters");
        errors.holds(text.trim() == text, &name, "must not begin or end with a space");
        errors.holds(names.insert(text.clone()), name, "is the name of an earlier tax");
        if let Some(kind) = tax_kind(&mut errors, index, tax.kind) {
            parsed.push(Tax { display_name: tax.display_name, kind });
        }
    }
    finish(errors)?;
    Ok(parsed)
}

fn tax_kind(errors: &mut FieldErrors, index: usize, kind: Option<proto::tax::Kind>) -> Option<TaxKind> {
    match kind {
        Some(proto::tax::Kind::BasisPoints(points)) => {
            errors.range(format!("taxes[{index}].basis_points"), points, 1, 10_000);
            Some(TaxKind::BasisPoints(points))
        }
        Some(proto::tax::Kind::PerRoomNight(amount)) => {
            let field = format!("taxes[{index}].per_room_night");
            let amount = money_from(Some(&amount), &field).and_then(|amount| within_offers(amount, &field));
            errors.value(amount).map(TaxKind::PerRoomNight)
        }
        None => {
            errors.holds(false, format!("taxes[{index}]"), "must have basis_points or per_room_night");
            None
        }
    }
}
