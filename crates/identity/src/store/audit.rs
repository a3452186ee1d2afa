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

/// A client, by its id, with the ids of its valid and revoked secrets.
pub(crate) const CLIENT: ObjectType = ObjectType {
    name: "client",
    snapshot: "select jsonb_build_object('display_name', display_name, 'role', role, 'deleted', deleted_at is not null,
                   'secrets', (
                       select coalesce(jsonb_agg(jsonb_build_object('secret_id', secret_id, 'expire_time', expires_at)
                                                 order by created_at, secret_id), '[]')
                       from client_secret s
                       where s.client_id = c.client_id and ended_at is null and (expires_at is null or expires_at > now())
                   ),
                   'revoked_secrets', (
                       select coalesce(jsonb_agg(secret_id order by revoked_at, secret_id), '[]') from client_secret s
                       where s.client_id = c.client_id and revoked_at is not null
                   ))
               from client c where client_id = $1",
};
