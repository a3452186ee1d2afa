//! Taxes of hotels: list, replace.

use staymesh_domain::HotelId;
use staymesh_store::ResultExt;

use super::{RateService, currency_changed, require_currency, require_etag, tax_etag};
use crate::{
    error::RateError,
    model::{Tax, TaxKind},
    store,
};

impl RateService {
    /// The taxes of a hotel, in the order of the bill, and their etag.
    pub(crate) async fn get_taxes(&self, hotel_id: HotelId) -> Result<(Vec<Tax>, String), RateError> {
        // One snapshot, so that the etag belongs to these taxes.
        let mut tx = self.pool.begin_with("begin isolation level repeatable read read only").await?;
        let version = store::tax::version(&mut tx, hotel_id).await?;
        Ok((store::tax::list(&mut *tx, hotel_id).await?, tax_etag(hotel_id, version)))
    }

    /// Replaces all taxes of a hotel and returns their etag. Taxes equal to the current ones keep it.
    ///
    /// # Errors
    /// [`RateError::CurrencyMismatch`], [`RateError::EtagMismatch`], and [`RateError::Dependency`] when the hotel does not
    /// exist or the hotel service is unavailable.
    pub(crate) async fn set_taxes(&self, hotel_id: HotelId, taxes: &[Tax], given: &str) -> Result<String, RateError> {
        let currency = self.hotels.hotel(hotel_id).await?.currency;
        for (index, tax) in taxes.iter().enumerate() {
            if let TaxKind::PerRoomNight(amount) = tax.kind {
                require_currency(amount, currency, || format!("taxes[{index}].per_room_night"))?;
            }
        }
        let mut tx = self.pool.begin().await?;
        store::hotel_currency::insert_if_absent(&mut tx, hotel_id, currency).await?;
        // The lock serializes concurrent replacements, so that the result is one of them and not a mixture.
        let current = tax_etag(hotel_id, store::tax::lock(&mut tx, hotel_id).await?);
        require_etag(given, &current)?;
        if store::tax::list(&mut *tx, hotel_id).await? == taxes {
            return Ok(current);
        }
        let watched = store::audit::TAXES.before(&mut tx, &hotel_id).await?;
        store::tax::replace(&mut tx, hotel_id, taxes)
            .await
            .on_constraint("tax_hotel_currency_fkey", |_| currency_changed("taxes".to_owned(), currency))?;
        let version = store::tax::next_version(&mut tx, hotel_id).await?;
        watched.record(&mut tx).await?;
        tx.commit().await?;
        Ok(tax_etag(hotel_id, version))
    }
}
