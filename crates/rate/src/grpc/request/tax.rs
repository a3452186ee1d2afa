//! Taxes in requests.

use std::collections::HashSet;

use staymesh_api::rate::v1 as proto;
use staymesh_domain::{FieldErrors, Text};
use staymesh_mesh::proto_types::money_from;

use super::within_offers;
use crate::model::{Tax, TaxKind};

/// Most taxes of a hotel.
const MAX_TAXES: usize = 20;

/// The taxes that replace those of a hotel.
///
/// # Errors
/// Every invalid field.
pub(in crate::grpc) fn taxes(taxes: Vec<proto::Tax>) -> Result<Vec<Tax>, FieldErrors> {
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
        let text = errors.value(Text::line(&tax.display_name, 1..=100).map_err(|error| error.at(&name)));
        let is_new = text.as_ref().is_none_or(|text| names.insert(text.key()));
        errors.holds(is_new, name, "is the name of an earlier tax");
        if let Some((text, kind)) = text.zip(tax_kind(&mut errors, index, tax.kind)) {
            parsed.push(Tax { display_name: text.into_string(), kind });
        }
    }
    errors.complete(Some(parsed))
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
