//! Rooms: read, create, update, delete.

use staymesh_domain::{HotelId, Page, RoomId, RoomTypeId};

use super::{CatalogService, Create, Created, require_etag};
use crate::{
    error::HotelError,
    model::{Change, Room, RoomFields, RoomPatch},
    store,
};

impl CatalogService {
    /// A live room.
    ///
    /// # Errors
    /// [`HotelError::RoomNotFound`].
    pub(crate) async fn get_room(&self, hotel_id: HotelId, room_id: RoomId) -> Result<Room, HotelError> {
        store::room::get(&self.pool, hotel_id, room_id).await
    }

    /// A page of the live rooms of a hotel, or of one of its room types, in ascending order of id, plus one row if there
    /// is a next page.
    ///
    /// # Errors
    /// [`HotelError::HotelNotFound`].
    pub(crate) async fn list_rooms(
        &self,
        hotel_id: HotelId,
        room_type_id: Option<RoomTypeId>,
        page: &Page<RoomId>,
    ) -> Result<Vec<Room>, HotelError> {
        let rooms = store::room::list(&self.pool, hotel_id, room_type_id, page).await?;
        if rooms.is_empty() {
            store::hotel::require(&self.pool, hotel_id).await?;
        }
        Ok(rooms)
    }

    /// Creates a room, once per key.
    ///
    /// # Errors
    /// [`HotelError::HotelNotFound`], [`HotelError::RoomTypeNotFound`], [`HotelError::RoomNumberTaken`] and
    /// [`HotelError::RequestIdReused`].
    pub(crate) async fn create_room(
        &self,
        hotel_id: HotelId,
        fields: &RoomFields,
        create: Create<Room>,
    ) -> Result<Created<Room>, HotelError> {
        let mut tx = self.pool.begin().await?;
        if let Some(replayed) = create.claim(&mut tx).await? {
            return Ok(replayed);
        }
        let room = store::room::insert(&mut tx, hotel_id, fields).await?;
        store::audit::ROOM.created(&room.id).record(&mut tx).await?;
        create.remember(&mut tx, &room).await?;
        tx.commit().await?;
        Ok(Created::New(room))
    }

    /// Updates a room. A patch that changes nothing keeps the version and its etag.
    ///
    /// # Errors
    /// [`HotelError::RoomNotFound`], [`HotelError::EtagMismatch`], [`HotelError::RoomTypeNotFound`] and
    /// [`HotelError::RoomNumberTaken`].
    pub(crate) async fn update_room(
        &self,
        hotel_id: HotelId,
        room_id: RoomId,
        change: Change<RoomPatch>,
    ) -> Result<Room, HotelError> {
        let mut tx = self.pool.begin().await?;
        let room = store::room::lock(&mut tx, hotel_id, room_id).await?;
        require_etag(&change.etag, &room.etag())?;
        let fields = room.fields.clone().patched(change.patch);
        if fields == room.fields {
            return Ok(room);
        }
        let watched = store::audit::ROOM.before(&mut tx, &room_id).await?;
        let room = store::room::update(&mut tx, &room, &fields).await?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(room)
    }

    /// Soft-deletes a room. Idempotent.
    ///
    /// # Errors
    /// [`HotelError::RoomNotFound`] and [`HotelError::EtagMismatch`].
    pub(crate) async fn delete_room(&self, hotel_id: HotelId, room_id: RoomId, etag: &str) -> Result<(), HotelError> {
        let mut tx = self.pool.begin().await?;
        let state = store::room::lock_state(&mut tx, hotel_id, room_id)
            .await?
            .ok_or(HotelError::RoomNotFound { hotel_id, room_id })?;
        if state.deleted {
            return Ok(());
        }
        require_etag(etag, &state.etag(room_id))?;
        let watched = store::audit::ROOM.before(&mut tx, &room_id).await?;
        store::room::delete(&mut tx, room_id).await?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
