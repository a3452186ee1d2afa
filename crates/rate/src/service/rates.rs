//! Rates of room types: read, set.

use staymesh_domain::{HotelId, RoomTypeId};
use staymesh_store::ResultExt;

use super::{RateService, currency_changed, require_currency};
use crate::{
    clients::hotel::HotelFacts,
    error::RateError,
    model::{Rate, RoomRate},
    store,
};

impl RateService {
    /// The rate of a room type.
    ///
    /// # Errors
    /// [`RateError::RateNotFound`].
    pub(crate) async fn get_rate(&self, hotel_id: HotelId, room_type_id: RoomTypeId) -> Result<RoomRate, RateError> {
        store::room_rate::get(&self.pool, hotel_id, room_type_id).await
    }

    /// Inserts or replaces the rate of a room type. A rate equal to the current one keeps the version and its etag.
    ///
    /// # Errors
    /// [`RateError::CurrencyMismatch`], [`RateError::PolicyNotMonotone`], [`RateError::EtagMismatch`], and
    /// [`RateError::Dependency`] when the hotel or room type does not exist or the hotel service is unavailable.
    pub(crate) async fn set_rate(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        rate: &Rate,
        etag: &str,
    ) -> Result<RoomRate, RateError> {
        let (hotel, room_type) =
            tokio::join!(self.hotels.hotel(hotel_id), self.hotels.require_room_type(hotel_id, room_type_id));
        // Both calls are awaited: a missing hotel is reported as HOTEL_NOT_FOUND, whichever call fails first.
        let HotelFacts { currency, check_in_time } = hotel?;
        room_type?;
        let base_price = || "rate.base_price".to_owned();
        require_currency(rate.base_price, currency, base_price)?;
        for (field, amount) in rate.fixed_penalties() {
            require_currency(amount, currency, || field)?;
        }
        rate.policy.require_monotone(check_in_time).map_err(RateError::PolicyNotMonotone)?;

        let mut tx = self.pool.begin().await?;
        store::hotel_currency::insert_if_absent(&mut tx, hotel_id, currency).await?;
        let inserted = store::room_rate::insert_if_absent(&mut tx, hotel_id, room_type_id, rate)
            .await
            .on_constraint("room_rate_hotel_currency_fkey", |_| currency_changed(base_price(), currency))?;
        let current = store::room_rate::lock(&mut tx, hotel_id, room_type_id)
            .await?
            .ok_or(RateError::RateNotFound { hotel_id, room_type_id })?;
        let current_etag = if inserted { String::new() } else { current.etag() };
        if !etag.is_empty() && etag != current_etag {
            return Err(RateError::EtagMismatch);
        }
        let object_id = format!("{hotel_id}/{room_type_id}");
        if current.rate == *rate {
            if inserted {
                store::audit::RATE.created(&object_id).record(&mut tx).await?;
            }
            tx.commit().await?;
            return Ok(current);
        }
        require_currency(rate.base_price, current.rate.base_price.currency(), base_price)?;
        let watched = store::audit::RATE.before(&mut tx, &object_id).await?;
        store::room_rate::update(&mut tx, hotel_id, room_type_id, rate).await?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(RoomRate { rate: rate.clone(), version: current.version + 1, ..current })
    }
}
