//! Nightly prices: list, set, clear.

use jiff::civil::Date;
use staymesh_domain::{DateRange, HotelId, Money, Page, RoomTypeId};

use super::{RateService, nights_etag, require_currency, require_etag};
use crate::{error::RateError, store};

impl RateService {
    /// A page of the nights in `range` that have a nightly price, in ascending order of date, plus one entry if there is
    /// a next page; and the etag of all nightly prices of the room type.
    ///
    /// # Errors
    /// [`RateError::RateNotFound`] when the room type has no rate.
    pub(crate) async fn list_nightly_prices(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        range: DateRange,
        page: &Page<Date>,
    ) -> Result<(Vec<(Date, Money)>, String), RateError> {
        // The version first: a change between the two reads makes the etag old instead of the prices.
        let version = store::nightly_price::version(&self.pool, hotel_id, room_type_id).await?;
        let version = version.ok_or(RateError::RateNotFound { hotel_id, room_type_id })?;
        let nights = store::nightly_price::list(&self.pool, hotel_id, room_type_id, range, page).await?;
        Ok((nights, nights_etag(room_type_id, version)))
    }

    /// Sets the nightly price of these nights; `None` clears it, and the base price applies again. Returns the
    /// etag of the nightly prices, which is the same if nothing changed.
    ///
    /// # Errors
    /// [`RateError::RateNotFound`], [`RateError::EtagMismatch`] and [`RateError::CurrencyMismatch`].
    pub(crate) async fn set_nightly_prices(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        nights: &[Date],
        price: Option<Money>,
        given: &str,
    ) -> Result<String, RateError> {
        let mut tx = self.pool.begin().await?;
        // The lock on the rate serializes changes of overlapping ranges. Without it they could deadlock, because they
        // touch the nights in different orders.
        let current = store::room_rate::lock(&mut tx, hotel_id, room_type_id)
            .await?
            .ok_or(RateError::RateNotFound { hotel_id, room_type_id })?;
        let version = store::nightly_price::version(&mut *tx, hotel_id, room_type_id)
            .await?
            .ok_or(RateError::RateNotFound { hotel_id, room_type_id })?;
        require_etag(given, &nights_etag(room_type_id, version))?;
        let watched = store::audit::NIGHTLY_PRICES.before(&mut tx, &format!("{hotel_id}/{room_type_id}")).await?;
        let changed = match price {
            Some(price) => {
                require_currency(price, current.rate.base_price.currency(), || "price".to_owned())?;
                store::nightly_price::upsert(&mut tx, hotel_id, room_type_id, nights, price).await?
            }
            None => store::nightly_price::delete(&mut tx, hotel_id, room_type_id, nights).await?,
        };
        if changed == 0 {
            return Ok(nights_etag(room_type_id, version));
        }
        let version = store::nightly_price::next_version(&mut tx, hotel_id, room_type_id).await?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(nights_etag(room_type_id, version))
    }
}
