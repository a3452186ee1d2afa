//! What staff set, and what must hold for it.

use jiff::civil::Date;
use sqlx::PgPool;
use staymesh_domain::{Currency, DateRange, Money, Page};
use staymesh_store::ResultExt;

use crate::{
    RateError,
    catalog::Catalog,
    pricing::{Rate, Tax, TaxKind},
    store::{self, rate::RoomRate},
};

/// The rates of all hotels, as staff change them.
pub struct Rates<C> {
    pool: PgPool,
    catalog: C,
}

impl<C: Catalog> Rates<C> {
    /// The rates in this database, of the hotels that `catalog` knows.
    pub fn new(pool: PgPool, catalog: C) -> Self {
        Self { pool, catalog }
    }

    /// How a room type is priced.
    pub async fn rate(&self, hotel_id: i32, room_type_id: i32) -> Result<RoomRate, RateError> {
        store::rate::get(&self.pool, hotel_id, room_type_id).await
    }

    /// Sets how a room type is priced. What is so already is left as it is, its etag too.
    pub async fn set_rate(
        &self,
        hotel_id: i32,
        room_type_id: i32,
        rate: &Rate,
        etag: &str,
    ) -> Result<RoomRate, RateError> {
        let (currency, known) =
            tokio::join!(self.catalog.currency(hotel_id), self.catalog.require_room_type(hotel_id, room_type_id));
        // Not whichever is first: of a hotel that is gone, that is what is said.
        let currency = currency?;
        known?;
        let base_price = || "rate.base_price".to_owned();
        require_currency(rate.base_price, currency, base_price)?;

        let mut tx = self.pool.begin().await?;
        store::note_currency(&mut tx, hotel_id, currency).await?;
        let inserted = store::rate::insert(&mut tx, hotel_id, room_type_id, rate)
            .await
            .on_constraint("room_rate_hotel_currency_fkey", |_| currency_differs(base_price(), currency))?;
        let current = store::rate::lock(&mut tx, hotel_id, room_type_id)
            .await?
            .ok_or(RateError::RateNotFound { hotel_id, room_type_id })?;
        let known_etag = if inserted { String::new() } else { current.etag() };
        if !etag.is_empty() && etag != known_etag {
            return Err(RateError::EtagMismatch);
        }
        if current.rate == *rate {
            tx.commit().await?;
            return Ok(current);
        }
        require_currency(rate.base_price, current.rate.base_price.currency(), base_price)?;
        store::rate::update(&mut tx, hotel_id, room_type_id, rate).await?;
        tx.commit().await?;
        Ok(RoomRate { rate: rate.clone(), version: current.version + 1, ..current })
    }

    /// Gives nights a price of their own, or takes them back to the base price.
    pub async fn set_nights(
        &self,
        hotel_id: i32,
        room_type_id: i32,
        nights: &[Date],
        price: Option<Money>,
    ) -> Result<(), RateError> {
        let mut tx = self.pool.begin().await?;
        // The lock on the rate keeps changes of overlapping ranges in line, whichever order they touch nights in.
        let current = store::rate::lock(&mut tx, hotel_id, room_type_id)
            .await?
            .ok_or(RateError::RateNotFound { hotel_id, room_type_id })?;
        match price {
            Some(price) => {
                require_currency(price, current.rate.base_price.currency(), || "price".to_owned())?;
                store::nightly::set(&mut tx, hotel_id, room_type_id, nights, price).await?;
            }
            None => store::nightly::clear(&mut tx, hotel_id, room_type_id, nights).await?,
        }
        tx.commit().await?;
        Ok(())
    }

    /// A page of the nights that have a price of their own; see [`store::nightly::list`].
    pub async fn nights(
        &self,
        hotel_id: i32,
        room_type_id: i32,
        range: DateRange,
        page: &Page<Date>,
    ) -> Result<Vec<(Date, Money)>, RateError> {
        let nights = store::nightly::list(&self.pool, hotel_id, room_type_id, range, page).await?;
        if nights.is_empty() {
            // Nothing to show is no answer for what has no rate.
            self.rate(hotel_id, room_type_id).await?;
        }
        Ok(nights)
    }

    /// The taxes of a hotel, in the order of the bill.
    pub async fn taxes(&self, hotel_id: i32) -> Result<Vec<Tax>, RateError> {
        store::tax::list(&self.pool, hotel_id).await
    }

    /// Replaces the taxes of a hotel.
    pub async fn set_taxes(&self, hotel_id: i32, taxes: &[Tax]) -> Result<(), RateError> {
        let currency = self.catalog.currency(hotel_id).await?;
        for (index, tax) in taxes.iter().enumerate() {
            if let TaxKind::PerRoomNight(amount) = tax.kind {
                require_currency(amount, currency, || format!("taxes[{index}].per_room_night"))?;
            }
        }
        let mut tx = self.pool.begin().await?;
        store::note_currency(&mut tx, hotel_id, currency).await?;
        store::tax::replace(&mut tx, hotel_id, taxes)
            .await
            .on_constraint("tax_hotel_currency_fkey", |_| currency_differs("taxes".to_owned(), currency))?;
        tx.commit().await?;
        Ok(())
    }
}

fn require_currency(amount: Money, expected: Currency, field: impl FnOnce() -> String) -> Result<(), RateError> {
    if amount.currency() == expected {
        return Ok(());
    }
    Err(RateError::CurrencyMismatch { field: field(), expected })
}

/// The hotel service names another currency than it did before. It never does, and the database would not have it.
fn currency_differs(field: String, now: Currency) -> RateError {
    RateError::CurrencyMismatch { field, expected: now }
}

#[cfg(test)]
mod tests;
