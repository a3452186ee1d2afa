//! What audit records show of hotels, room types and rooms. Soft-deleted rows are shown with `deleted: true`.

use staymesh_store::audit::ObjectType;

/// A hotel, by its id.
pub(crate) const HOTEL: ObjectType = ObjectType {
    name: "hotel",
    snapshot: "select to_jsonb(hotel) - array['create_time', 'update_time', 'delete_time', 'live']
                      || jsonb_build_object('deleted', live is null)
               from hotel where hotel_id = $1::integer",
};

/// A room type, by its id.
pub(crate) const ROOM_TYPE: ObjectType = ObjectType {
    name: "room_type",
    snapshot: "select to_jsonb(room_type) - array['create_time', 'update_time', 'delete_time', 'live']
                      || jsonb_build_object('deleted', live is null)
               from room_type where room_type_id = $1::integer",
};

/// A room, by its id.
pub(crate) const ROOM: ObjectType = ObjectType {
    name: "room",
    snapshot: "select to_jsonb(room) - array['create_time', 'update_time', 'delete_time', 'live']
                      || jsonb_build_object('deleted', live is null)
               from room where room_id = $1::integer",
};
