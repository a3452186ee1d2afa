//! Taxes of hotels: list, replace.

use staymesh_domain::HotelId;
use staymesh_store::ResultExt;

use super::{RateService, currency_changed, require_currency};
use crate::{
    error::RateError,
    model::{Tax, TaxKind},
    store,
};

impl RateService {
    /// The taxes of a hotel, in the order of the bill.
    pub(crate) async fn get_taxes(&self, hotel_id: HotelId) -> Result<Vec<Tax>, RateError> {
        store::tax::list(&self.pool, hotel_id).await
    }

    /// Replaces all taxes of a hotel.
    ///
    /// # Errors
    /// [`RateError::CurrencyMismatch`], and [`RateError::Dependency`] when the hotel does not exist or the hotel service
    /// is unavailable.
    pub(crate) async fn set_taxes(&self, hotel_id: HotelId, taxes: &[Tax]) -> Result<(), RateError> {
        let currency = self.hotels.currency(hotel_id).await?;
        for (index, tax) in taxes.iter().enumerate() {
            if let TaxKind::PerRoomNight(amount) = tax.kind {
                require_currency(amount, currency, || format!("taxes[{index}].per_room_night"))?;
            }
        }
        let mut tx = self.pool.begin().await?;
        store::hotel_currency::insert_if_absent(&mut tx, hotel_id, currency).await?;
        // The lock serializes concurrent replacements, so that the result is one of them and not a mixture.
        store::tax::lock(&mut tx, hotel_id).await?;
        let watched = store::audit::TAXES.before(&mut tx, &hotel_id).await?;
        store::tax::replace(&mut tx, hotel_id, taxes)
            .await
            .on_constraint("tax_hotel_currency_fkey", |_| currency_changed("taxes".to_owned(), currency))?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }
}
