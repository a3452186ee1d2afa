//! Nightly prices: list, set, clear.

use jiff::civil::Date;
use staymesh_domain::{DateRange, HotelId, Money, Page, RoomTypeId};

use super::{RateService, require_currency};
use crate::{error::RateError, store};

impl RateService {
    /// A page of the nights in `range` that have a nightly price, in ascending order of date, plus one entry if there is
    /// a next page.
    ///
    /// # Errors
    /// [`RateError::RateNotFound`] when the room type has no rate.
    pub(crate) async fn list_nightly_prices(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        range: DateRange,
        page: &Page<Date>,
    ) -> Result<Vec<(Date, Money)>, RateError> {
        let nights = store::nightly_price::list(&self.pool, hotel_id, room_type_id, range, page).await?;
        if nights.is_empty() {
            // Distinguishes "no nightly price" from "no rate".
            self.get_rate(hotel_id, room_type_id).await?;
        }
        Ok(nights)
    }

    /// Sets the nightly price of these nights; `None` clears it, and the base price applies again.
    ///
    /// # Errors
    /// [`RateError::RateNotFound`] and [`RateError::CurrencyMismatch`].
    pub(crate) async fn set_nightly_prices(
        &self,
        hotel_id: HotelId,
        room_type_id: RoomTypeId,
        nights: &[Date],
        price: Option<Money>,
    ) -> Result<(), RateError> {
        let mut tx = self.pool.begin().await?;
        // The lock on the rate serializes changes of overlapping ranges. Without it they could deadlock, because they
        // touch the nights in different orders.
        let current = store::room_rate::lock(&mut tx, hotel_id, room_type_id)
            .await?
            .ok_or(RateError::RateNotFound { hotel_id, room_type_id })?;
        let watched = store::audit::NIGHTLY_PRICES.before(&mut tx, &format!("{hotel_id}/{room_type_id}")).await?;
        match price {
            Some(price) => {
                require_currency(price, current.rate.base_price.currency(), || "price".to_owned())?;
                store::nightly_price::upsert(&mut tx, hotel_id, room_type_id, nights, price).await?;
            }
            None => store::nightly_price::delete(&mut tx, hotel_id, room_type_id, nights).await?,
        }
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
