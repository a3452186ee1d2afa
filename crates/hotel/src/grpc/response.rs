//! Renders the catalog as messages of the contract.

use prost::Message;
use staymesh_api::hotel::v1 as proto;
use staymesh_domain::AgeBand;
use staymesh_mesh::{Problem, proto_types::timestamp};

use crate::{
    model::{Hotel, Room, RoomType},
    service::Created,
};

/// Encodes a created resource as the message `M`, to be stored for retries.
pub(super) fn encode<T: Clone, M: Message + From<T>>(created: &T) -> Vec<u8> {
    M::from(created.clone()).encode_to_vec()
}

/// The created resource; for a retry, decoded from the first response.
///
/// # Errors
/// `INTERNAL` when the stored response cannot be decoded.
pub(super) fn created<T, M: Message + Default + From<T>>(created: Created<T>) -> Result<M, Problem> {
    match created {
        Created::New(resource) => Ok(resource.into()),
        Created::Replayed(bytes) => M::decode(&*bytes).map_err(|error| Problem::internal(&error)),
    }
}

impl From<Hotel> for proto::Hotel {
    fn from(hotel: Hotel) -> Self {
        let etag = hotel.etag();
        let fields = hotel.fields;
        Self {
            hotel_id: hotel.id.get(),
            display_name: fields.display_name,
            description: fields.description,
            address: Some(proto::Address {
                street: fields.street,
                city: fields.city,
                postal_code: fields.postal_code,
                country_code: fields.country_code,
            }),
            location: fields
                .location
                .latitude
                .zip(fields.location.longitude)
                .map(|(latitude, longitude)| proto::GeoPoint { latitude, longitude }),
            time_zone: fields.time_zone,
            check_in_time: fields.check_in_time,
            day_rollover: fields.day_rollover,
            currency_code: hotel.currency_code,
            star_rating: fields.star_rating,
            amenities: fields.amenities,
            photo_urls: fields.photo_urls,
            age_bands: fields.age_bands.into_iter().map(age_band).collect(),
            min_child_age: fields.min_child_age,
            room_required_at_check_in: fields.room_required_at_check_in,
            etag,
            create_time: Some(timestamp(hotel.times.create_time)),
            update_time: Some(timestamp(hotel.times.update_time)),
        }
    }
}

fn age_band(band: AgeBand) -> proto::AgeBand {
    proto::AgeBand { code: band.code, min_age: band.min_age, max_age: band.max_age }
}

impl From<RoomType> for proto::RoomType {
    fn from(room_type: RoomType) -> Self {
        let etag = room_type.etag();
        let fields = room_type.fields;
        Self {
            hotel_id: room_type.hotel_id.get(),
            room_type_id: room_type.id.get(),
            display_name: fields.display_name,
            description: fields.description,
            beds: fields.beds.into_iter().map(|bed| proto::Bed { kind: bed.kind, count: bed.count }).collect(),
            base_occupancy: Some(fields.base_occupancy),
            max_occupancy: fields.max_occupancy,
            max_adults: Some(fields.max_adults),
            max_children: fields.max_children,
            max_infants: fields.max_infants,
            max_extra_beds: fields.max_extra_beds,
            amenities: fields.amenities,
            photo_urls: fields.photo_urls,
            etag,
            create_time: Some(timestamp(room_type.times.create_time)),
            update_time: Some(timestamp(room_type.times.update_time)),
        }
    }
}

impl From<Room> for proto::Room {
    fn from(room: Room) -> Self {
        Self {
            etag: room.etag(),
            hotel_id: room.hotel_id.get(),
            room_id: room.id.get(),
            room_type_id: room.fields.room_type_id.get(),
            room_number: room.fields.room_number,
            floor: room.fields.floor,
            create_time: Some(timestamp(room.times.create_time)),
            update_time: Some(timestamp(room.times.update_time)),
        }
    }
}
