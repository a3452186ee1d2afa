//! What audit records show of rates, nightly prices and taxes. The id of what belongs to a room type is
//! `HOTEL_ID/ROOM_TYPE_ID`.

use staymesh_store::audit::ObjectType;

/// The rate of a room type, with its occupancy rules.
pub(crate) const RATE: ObjectType = ObjectType {
    name: "rate",
    snapshot: "select to_jsonb(r) - array['create_time', 'update_time', 'cancellation_policy_version']
                      || jsonb_build_object('occupancy_rules', coalesce((
                          select jsonb_agg(jsonb_build_object('sold_percent', sold_percent,
                                                              'price_change_percent', price_change_percent)
                                           order by sold_percent)
                          from occupancy_rule o where o.hotel_id = r.hotel_id and o.room_type_id = r.room_type_id
                      ), '[]'))
               from room_rate r
               where hotel_id = split_part($1, '/', 1)::integer and room_type_id = split_part($1, '/', 2)::integer",
};

/// The nightly prices of a room type, by date.
pub(crate) const NIGHTLY_PRICES: ObjectType = ObjectType {
    name: "nightly_prices",
    snapshot: "select jsonb_object_agg(stay_date, price_minor) from nightly_price
               where hotel_id = split_part($1, '/', 1)::integer and room_type_id = split_part($1, '/', 2)::integer",
};

/// The taxes of a hotel, in the order of the bill.
pub(crate) const TAXES: ObjectType = ObjectType {
    name: "taxes",
    snapshot: "select jsonb_build_object('taxes', jsonb_agg(to_jsonb(tax) - array['hotel_id', 'position']
                                                            order by position))
               from tax where hotel_id = $1::integer having count(*) > 0",
};
