//! Hotels: read, create, update, delete.

use staymesh_domain::{Currency, HotelId, Page};

use super::{CatalogService, Create, Created, require_etag};
use crate::{
    error::HotelError,
    model::{Change, Hotel, HotelFields, HotelFilter, HotelPatch},
    store,
};

impl CatalogService {
    /// A live hotel.
    ///
    /// # Errors
    /// [`HotelError::HotelNotFound`].
    pub(crate) async fn get_hotel(&self, hotel_id: HotelId) -> Result<Hotel, HotelError> {
        store::hotel::get(&self.pool, hotel_id).await
    }

    /// A page of live hotels in ascending order of id, plus one row if there is a next page.
    pub(crate) async fn list_hotels(
        &self,
        filter: &HotelFilter,
        page: &Page<HotelId>,
    ) -> Result<Vec<Hotel>, HotelError> {
        store::hotel::list(&self.pool, filter, page).await
    }

    /// Creates a hotel, once per key.
    ///
    /// # Errors
    /// [`HotelError::RequestIdReused`].
    pub(crate) async fn create_hotel(
        &self,
        fields: &HotelFields,
        currency: Currency,
        create: Create<Hotel>,
    ) -> Result<Created<Hotel>, HotelError> {
        let mut tx = self.pool.begin().await?;
        if let Some(replayed) = create.claim(&mut tx).await? {
            return Ok(replayed);
        }
        let hotel = store::hotel::insert(&mut tx, fields, currency).await?;
        store::audit::HOTEL.created(&hotel.id).record(&mut tx).await?;
        create.remember(&mut tx, &hotel).await?;
        tx.commit().await?;
        Ok(Created::New(hotel))
    }

    /// Updates a hotel. A patch that changes nothing keeps the version and its etag.
    ///
    /// `currency_code` is the currency the caller believes the hotel has; `None` skips the comparison.
    ///
    /// # Errors
    /// [`HotelError::HotelNotFound`], [`HotelError::EtagMismatch`] and [`HotelError::CurrencyFixed`].
    pub(crate) async fn update_hotel(
        &self,
        hotel_id: HotelId,
        change: Change<HotelPatch>,
        currency_code: Option<&str>,
    ) -> Result<Hotel, HotelError> {
        let mut tx = self.pool.begin().await?;
        let hotel = store::hotel::lock(&mut tx, hotel_id).await?;
        require_etag(&change.etag, &hotel.etag())?;
        if currency_code.is_some_and(|code| code != hotel.currency_code) {
            return Err(HotelError::CurrencyFixed(hotel.currency_code));
        }
        let fields = hotel.fields.clone().patched(change.patch);
        if fields == hotel.fields {
            return Ok(hotel);
        }
        let watched = store::audit::HOTEL.before(&mut tx, &hotel_id).await?;
        let hotel = store::hotel::update(&mut tx, hotel_id, &fields).await?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(hotel)
    }

    /// Soft-deletes a hotel with its room types and rooms. Idempotent.
    ///
    /// The etag is compared before the inventory is retired, because that is irreversible. An update that commits between
    /// the two steps is deleted with the hotel; refusing it would leave a hotel that is visible but not for sale.
    ///
    /// # Errors
    /// [`HotelError::HotelNotFound`], [`HotelError::EtagMismatch`], and [`HotelError::Dependency`] when the hotel has
    /// future reservations or the reservation service is unavailable.
    pub(crate) async fn delete_hotel(&self, hotel_id: HotelId, etag: &str) -> Result<(), HotelError> {
        let state = store::hotel::state(&self.pool, hotel_id).await?.ok_or(HotelError::HotelNotFound(hotel_id))?;
        if state.deleted {
            return Ok(());
        }
        require_etag(etag, &state.etag(hotel_id))?;
        self.reservations.retire_inventory(hotel_id, None).await?;
        let mut tx = self.pool.begin().await?;
        let watched = store::audit::HOTEL.before(&mut tx, &hotel_id).await?;
        store::hotel::delete(&mut tx, hotel_id).await?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
