//! What a change does, and when it is refused.
//!
//! A create is answered with the contract's message, because its first answer is kept for repeats in that form.

use sqlx::PgPool;
use staymesh_api::hotel::v1 as proto;

use crate::{
    HotelError,
    inventory::Inventory,
    model::{Change, Hotel, HotelFields, Room, RoomFields, RoomType, RoomTypeFields},
    store::{
        self,
        request::{self, RequestKey},
    },
};

type Key = Option<RequestKey>;

/// The hotels of the chain, as staff and administrators change them.
pub struct Hotels<I> {
    pool: PgPool,
    inventory: I,
}

impl<I: Inventory> Hotels<I> {
    /// The hotels in this database, whose bookings `inventory` knows.
    pub fn new(pool: PgPool, inventory: I) -> Self {
        Self { pool, inventory }
    }

    /// Makes a hotel, once for each key.
    pub async fn create_hotel(
        &self,
        fields: &HotelFields,
        currency_code: &str,
        key: Key,
    ) -> Result<proto::Hotel, HotelError> {
        let mut tx = self.pool.begin().await?;
        if let Some(key) = &key
            && let Some(answer) = request::claim(&mut tx, key).await?
        {
            return Ok(answer);
        }
        let hotel = store::hotel::insert(&mut tx, fields, currency_code).await?.into();
        if let Some(key) = &key {
            request::remember(&mut tx, key, &hotel).await?;
        }
        tx.commit().await?;
        Ok(hotel)
    }

    /// Makes a room type, once for each key.
    pub async fn create_room_type(
        &self,
        hotel_id: i32,
        fields: &RoomTypeFields,
        key: Key,
    ) -> Result<proto::RoomType, HotelError> {
        let mut tx = self.pool.begin().await?;
        if let Some(key) = &key
            && let Some(answer) = request::claim(&mut tx, key).await?
        {
            return Ok(answer);
        }
        let room_type = store::room_type::insert(&mut tx, hotel_id, fields).await?.into();
        if let Some(key) = &key {
            request::remember(&mut tx, key, &room_type).await?;
        }
        tx.commit().await?;
        Ok(room_type)
    }

    /// Makes a room, once for each key.
    pub async fn create_room(&self, hotel_id: i32, fields: &RoomFields, key: Key) -> Result<proto::Room, HotelError> {
        let mut tx = self.pool.begin().await?;
        if let Some(key) = &key
            && let Some(answer) = request::claim(&mut tx, key).await?
        {
            return Ok(answer);
        }
        let room = store::room::insert(&mut tx, hotel_id, fields).await?.into();
        if let Some(key) = &key {
            request::remember(&mut tx, key, &room).await?;
        }
        tx.commit().await?;
        Ok(room)
    }

    /// Changes a hotel. A change that changes nothing leaves its etag as it is.
    ///
    /// `currency_code` is what the caller takes its currency for, if they say.
    pub async fn update_hotel(
        &self,
        hotel_id: i32,
        change: Change<HotelFields>,
        currency_code: Option<&str>,
    ) -> Result<Hotel, HotelError> {
        let mut tx = self.pool.begin().await?;
        let hotel = store::hotel::lock(&mut tx, hotel_id).await?;
        require_etag(&change.etag, &hotel.etag())?;
        if currency_code.is_some_and(|code| code != hotel.currency_code) {
            return Err(HotelError::CurrencyFixed(hotel.currency_code));
        }
        let fields = hotel.fields.clone().merged(change.fields, &change.mask);
        if fields == hotel.fields {
            return Ok(hotel);
        }
        let hotel = store::hotel::update(&mut tx, hotel_id, &fields).await?;
        tx.commit().await?;
        Ok(hotel)
    }

    /// Changes a room type. A change that changes nothing leaves its etag as it is.
    pub async fn update_room_type(
        &self,
        hotel_id: i32,
        room_type_id: i32,
        change: Change<RoomTypeFields>,
    ) -> Result<RoomType, HotelError> {
        let mut tx = self.pool.begin().await?;
        let room_type = store::room_type::lock(&mut tx, hotel_id, room_type_id).await?;
        require_etag(&change.etag, &room_type.etag())?;
        let fields = room_type.fields.clone().merged(change.fields, &change.mask);
        if fields == room_type.fields {
            return Ok(room_type);
        }
        let room_type = store::room_type::update(&mut tx, &room_type, &fields).await?;
        tx.commit().await?;
        Ok(room_type)
    }

    /// Changes a room. A change that changes nothing leaves its etag as it is.
    pub async fn update_room(
        &self,
        hotel_id: i32,
        room_id: i32,
        change: Change<RoomFields>,
    ) -> Result<Room, HotelError> {
        let mut tx = self.pool.begin().await?;
        let room = store::room::lock(&mut tx, hotel_id, room_id).await?;
        require_etag(&change.etag, &room.etag())?;
        let fields = room.fields.clone().merged(change.fields, &change.mask);
        if fields == room.fields {
            return Ok(room);
        }
        let room = store::room::update(&mut tx, &room, &fields).await?;
        tx.commit().await?;
        Ok(room)
    }

    /// Hides a hotel and all that is in it, unless something in it is booked.
    ///
    /// The etag is compared before its inventory is retired, which cannot be taken back; a change that comes in between
    /// is deleted along with the rest, instead of leaving a hotel that is shown but not for sale.
    pub async fn delete_hotel(&self, hotel_id: i32, etag: &str) -> Result<(), HotelError> {
        let state = store::hotel::state(&self.pool, hotel_id).await?.ok_or(HotelError::HotelNotFound(hotel_id))?;
        if state.deleted {
            return Ok(());
        }
        require_etag(etag, &state.etag(hotel_id))?;
        self.retire(hotel_id, None).await?;
        let mut tx = self.pool.begin().await?;
        store::hotel::delete(&mut tx, hotel_id).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Hides a room type, unless it has rooms or is booked. See [`Self::delete_hotel`] for its etag.
    pub async fn delete_room_type(&self, hotel_id: i32, room_type_id: i32, etag: &str) -> Result<(), HotelError> {
        let state = store::room_type::state(&self.pool, hotel_id, room_type_id)
            .await?
            .ok_or(HotelError::RoomTypeNotFound { hotel_id, room_type_id })?;
        if state.deleted {
            return Ok(());
        }
        require_etag(etag, &state.etag(room_type_id))?;
        // Asked here so that a refusal leaves it on sale; the database has the last word below.
        if store::room_type::has_rooms(&self.pool, hotel_id, room_type_id).await? {
            return Err(HotelError::RoomTypeHasRooms);
        }
        self.retire(hotel_id, Some(room_type_id)).await?;
        store::room_type::delete(&self.pool, hotel_id, room_type_id).await
    }

    /// Hides a room.
    pub async fn delete_room(&self, hotel_id: i32, room_id: i32, etag: &str) -> Result<(), HotelError> {
        let mut tx = self.pool.begin().await?;
        let state = store::room::lock_state(&mut tx, hotel_id, room_id)
            .await?
            .ok_or(HotelError::RoomNotFound { hotel_id, room_id })?;
        if state.deleted {
            return Ok(());
        }
        require_etag(etag, &state.etag(room_id))?;
        store::room::delete(&mut tx, room_id).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn retire(&self, hotel_id: i32, room_type_id: Option<i32>) -> Result<(), HotelError> {
        self.inventory.retire(hotel_id, room_type_id).await.map_err(|problem| HotelError::Dependency(Box::new(problem)))
    }
}

/// Refuses a change that is based on another state than the one it would change.
fn require_etag(given: &str, current: &str) -> Result<(), HotelError> {
    if given.is_empty() || given == current { Ok(()) } else { Err(HotelError::EtagMismatch) }
}

#[cfg(test)]
mod tests;
