//! Partner sales.

use staymesh_api::payment::v1 as proto;
use staymesh_domain::format_date;
use staymesh_mesh::{
    Problem,
    proto_types::{money, timestamp},
};

use super::partner_credit;
use crate::model::PartnerSale;

/// A line of a partner's invoice.
///
/// # Errors
/// An internal error if the owed amount cannot be computed, which the constraints of the database exclude, or the
/// partner is no client.
pub(in crate::grpc) fn partner_sale(sale: &PartnerSale) -> Result<proto::PartnerSale, Problem> {
    let owed = sale.owed().map_err(|error| Problem::internal(&error))?;
    Ok(proto::PartnerSale {
        reservation_id: sale.reservation_id.to_string(),
        hotel_id: sale.reservation_id.hotel_id().get(),
        commission: Some(money(sale.commission())),
        owed_amount: Some(money(owed)),
        client_id: partner_credit::client_id(&sale.terms.partner)?,
        amount: Some(money(sale.terms.amount)),
        taxes: Some(money(sale.terms.taxes)),
        credited_amount: Some(money(sale.credited)),
        check_out: format_date(sale.terms.check_out),
        create_time: Some(timestamp(sale.create_time)),
        cancel_time: sale.cancel_time.map(timestamp),
    })
}
