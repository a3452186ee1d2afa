//! Room types: read, create, update, delete.

use staymesh_domain::{HotelId, Page, RoomTypeId};

use super::{CatalogService, Create, Created, require_etag};
use crate::{
    error::HotelError,
    model::{Change, RoomType, RoomTypeFields, RoomTypePatch},
    store,
};

impl CatalogService {
    /// A live room type.
    ///
    /// # Errors
    /// [`HotelError::RoomTypeNotFound`].
    pub(crate) async fn get_room_type(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
    ) -> Result<RoomType, HotelError> {
        store::room_type::get(&self.pool, hotel_id, room_type_id).await
    }

    /// A page of the live room types of a hotel that sleep at least `min_occupancy` guests, in ascending order of id,
    /// plus one row if there is a next page.
    ///
    /// # Errors
    /// [`HotelError::HotelNotFound`].
    pub(crate) async fn list_room_types(
        &self,
        hotel_id: HotelId,
        min_occupancy: i32,
        page: &Page<RoomTypeId>,
    ) -> Result<Vec<RoomType>, HotelError> {
        let room_types = store::room_type::list(&self.pool, hotel_id, min_occupancy, page).await?;
        if room_types.is_empty() {
            store::hotel::require(&self.pool, hotel_id).await?;
        }
        Ok(room_types)
    }

    /// Creates a room type, once per key.
    ///
    /// # Errors
    /// [`HotelError::HotelNotFound`], [`HotelError::RoomTypeNameTaken`] and [`HotelError::RequestIdReused`].
    pub(crate) async fn create_room_type(
        &self,
        hotel_id: HotelId,
        fields: &RoomTypeFields,
        create: Create<RoomType>,
    ) -> Result<Created<RoomType>, HotelError> {
        let mut tx = self.pool.begin().await?;
        if let Some(replayed) = create.claim(&mut tx).await? {
            return Ok(replayed);
        }
        let room_type = store::room_type::insert(&mut tx, hotel_id, fields).await?;
        store::audit::ROOM_TYPE.created(&room_type.id).record(&mut tx).await?;
        create.remember(&mut tx, &room_type).await?;
        tx.commit().await?;
        Ok(Created::New(room_type))
    }

    /// Updates a room type. A patch that changes nothing keeps the version and its etag.
    ///
    /// # Errors
    /// [`HotelError::RoomTypeNotFound`], [`HotelError::EtagMismatch`], [`HotelError::RoomTypeNameTaken`], and
    /// [`HotelError::Occupancy`] when the new numbers of the occupancy do not fit the others.
    pub(crate) async fn update_room_type(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        change: Change<RoomTypePatch>,
    ) -> Result<RoomType, HotelError> {
        let mut tx = self.pool.begin().await?;
        let room_type = store::room_type::lock(&mut tx, hotel_id, room_type_id).await?;
        require_etag(&change.etag, &room_type.etag())?;
        let fields = room_type.fields.clone().patched(change.patch);
        if fields == room_type.fields {
            return Ok(room_type);
        }
        fields.occupancy().validated()?;
        let watched = store::audit::ROOM_TYPE.before(&mut tx, &room_type_id).await?;
        let room_type = store::room_type::update(&mut tx, &room_type, &fields).await?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(room_type)
    }

    /// Soft-deletes a room type. Idempotent. See [`Self::delete_hotel`] for when its etag is compared.
    ///
    /// # Errors
    /// [`HotelError::RoomTypeNotFound`], [`HotelError::EtagMismatch`], [`HotelError::RoomTypeHasRooms`], and
    /// [`HotelError::Dependency`] when it has future reservations or the reservation service is unavailable.
    pub(crate) async fn delete_room_type(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        etag: &str,
    ) -> Result<(), HotelError> {
        let state = store::room_type::state(&self.pool, hotel_id, room_type_id)
            .await?
            .ok_or(HotelError::RoomTypeNotFound { hotel_id, room_type_id })?;
        if state.deleted {
            return Ok(());
        }
        require_etag(etag, &state.etag(room_type_id))?;
        // Checked before the inventory is retired, so that a refused room type stays on sale. The foreign key checks
        // again when the row is deleted.
        if store::room_type::has_rooms(&self.pool, hotel_id, room_type_id).await? {
            return Err(HotelError::RoomTypeHasRooms);
        }
        self.reservations.retire_inventory(hotel_id, Some(room_type_id)).await?;
        let mut tx = self.pool.begin().await?;
        let watched = store::audit::ROOM_TYPE.before(&mut tx, &room_type_id).await?;
        store::room_type::delete(&mut *tx, hotel_id, room_type_id).await?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
