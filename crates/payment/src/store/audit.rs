//! What audit records show of payments, destinations and reconciliation cases.

use staymesh_domain::{ClientId, Currency};
use staymesh_store::audit::ObjectType;

/// A payment with its refunds, by its id. Without the owner and the addresses of pages.
pub(crate) const PAYMENT: ObjectType = ObjectType {
    name: "payment",
    snapshot: "select jsonb_build_object('status', status, 'currency', currency, 'method', method, 'refunds_minor', (
                   select coalesce(jsonb_object_agg(refund_id, amount_minor), '{}') from refund r
                   where r.payment_id = p.payment_id
               ))
               from payment_order p where payment_id = $1::uuid",
};

/// The destination of a hotel's payouts, by the id of the hotel.
pub(crate) const PAYOUT_DESTINATION: ObjectType = ObjectType {
    name: "payout_destination",
    snapshot: "select jsonb_build_object('destination', destination) from hotel_destination
               where hotel_id = $1::integer",
};

/// A reconciliation case, by its id. Without its note, which is free text.
pub(crate) const RECONCILIATION_CASE: ObjectType = ObjectType {
    name: "reconciliation_case",
    snapshot: "select jsonb_build_object('state', state, 'owner', owner, 'resolution', resolution, 'version', version,
                                         'replayed_at', replayed_at)
               from reconciliation_case where case_id = $1::uuid",
};

/// The credit limit of a partner in a currency, by its [`credit_id`].
pub(crate) const PARTNER_CREDIT_LIMIT: ObjectType = ObjectType {
    name: "partner_credit_limit",
    snapshot: "select jsonb_build_object('limit_minor', limit_minor, 'version', version) from partner_credit
               where currency = right($1, 3) and partner = 'client:' || left($1, -4)",
};

/// A payment of a partner, by its id.
pub(crate) const PARTNER_PAYMENT: ObjectType = ObjectType {
    name: "partner_payment",
    snapshot: "select jsonb_build_object('client_id', substr(partner, length('client:') + 1),
                                         'amount_minor', amount_minor, 'currency', currency,
                                         'reference', reference, 'keep_credit', keep_credit)
               from partner_payment where partner_payment_id = $1::uuid",
};

/// The id of a partner's credit limit in audit records, from its subject: `acme/EUR`.
pub(crate) fn credit_id(partner: &str, currency: Currency) -> String {
    format!("{}/{}", ClientId::in_subject(partner).unwrap_or(partner), currency.code())
}
