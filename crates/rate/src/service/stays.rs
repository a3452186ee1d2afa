//! Prices of stays.

use jiff::Timestamp;
use staymesh_domain::{HotelId, HotelTime, RoomCount, StayDates};

use super::{
    RateService,
    pricing::{PricedStay, price_room_types},
};
use crate::{
    error::RateError,
    model::{RoomTypeDemand, RoomTypePrice},
    store,
};

impl RateService {
    /// Prices a stay in several room types of a hotel whose calendar is `time`, in the order of `demands`. Room types
    /// that have no rate, or in which the stay would cost nothing or more than an amount can hold, are left out; the
    /// last are logged. Two statements, whatever the number of room types and nights.
    ///
    /// # Errors
    /// [`RateError::StoredAmount`] when stored amounts are invalid.
    pub(crate) async fn price_stay(
        &self,
        hotel_id: HotelId,
        dates: StayDates,
        rooms: RoomCount,
        time: &HotelTime,
        demands: &[RoomTypeDemand],
    ) -> Result<Vec<RoomTypePrice>, RateError> {
        let room_type_ids: Vec<_> = demands.iter().map(|demand| demand.room_type_id).collect();
        let (prices, taxes) = tokio::try_join!(
            store::stay::prices(&self.pool, hotel_id, &room_type_ids, dates),
            store::tax::list(&self.pool, hotel_id),
        )?;
        let stay = PricedStay { dates, rooms, time, now: Timestamp::now() };
        price_room_types(&prices, &taxes, &stay, demands, |room_type_id| {
            tracing::error!(%hotel_id, %room_type_id, "price out of range: room type left out of the offers");
        })
    }
}
