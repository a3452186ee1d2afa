//! What audit records show of accounts and clients: no address, no name of a person, no secret.

use staymesh_store::audit::ObjectType;

/// An account, by its id.
pub(crate) const USER: ObjectType = ObjectType {
    name: "user",
    snapshot: "select jsonb_build_object('role', role, 'hotel_ids', (
                   select coalesce(jsonb_agg(hotel_id order by hotel_id), '[]') from staff_hotel s
                   where s.user_id = u.user_id
               ))
               from user_account u where user_id = $1::uuid",
};

/// A client, by its id.
pub(crate) const CLIENT: ObjectType = ObjectType {
    name: "client",
    snapshot: "select jsonb_build_object('display_name', display_name, 'role', role, 'deleted', deleted_at is not null)
               from client where client_id = $1",
};
