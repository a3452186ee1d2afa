//! What audit records show of payments, destinations and reconciliation cases.

use staymesh_store::audit::ObjectType;

/// A payment with its refunds, by its id. Without the owner and the addresses of pages.
pub(crate) const PAYMENT: ObjectType = ObjectType {
    name: "payment",
    snapshot: "select jsonb_build_object('status', status, 'currency', currency, 'refunds_minor', (
                   select coalesce(jsonb_object_agg(refund_id, amount_minor), '{}') from refund r
                   where r.payment_id = p.payment_id
               ))
               from payment_order p where payment_id = $1::uuid",
};

/// The destination of a hotel's payouts, by the id of the hotel.
pub(crate) const PAY_OUT_DESTINATION: ObjectType = ObjectType {
    name: "pay_out_destination",
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
