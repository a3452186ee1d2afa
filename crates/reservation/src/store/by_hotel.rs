//! Why hotels cancelled reservations.

use serde_json::json;
use sqlx::Row;
use staymesh_domain::ReservationId;
use staymesh_store::{
    StoreError,
    audit::{self, Origin},
};
use uuid::Uuid;

use super::{Store, Transaction};
use crate::{error::ReservationError, lifecycle::ByHotel};

impl Store {
    /// Why its hotel cancelled a reservation; `None` if it did not.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn cancelled_by_hotel(&self, id: ReservationId) -> Result<Option<ByHotel>, ReservationError> {
        let row = sqlx::query(
            "select reason, relocated_to from hotel_cancellation where hotel_id = $1 and reservation_id = $2",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let relocated_to: Option<Uuid> = row.try_get("relocated_to")?;
        let broken = |_| StoreError::from(sqlx::Error::Decode("relocated_to".into()));
        let relocated_to = relocated_to.map(ReservationId::try_from).transpose().map_err(broken)?;
        Ok(Some(ByHotel { reason: row.try_get("reason")?, relocated_to }))
    }
}

impl Transaction {
    /// Records why its hotel cancelled a reservation, with its audit record. The reason is free text, which may name a guest, and
    /// stays out of that.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn record_hotel_cancellation(
        &mut self,
        id: ReservationId,
        why: &ByHotel,
        origin: Option<&Origin>,
    ) -> Result<(), ReservationError> {
        sqlx::query(
            "insert into hotel_cancellation (hotel_id, reservation_id, reason, relocated_to, cancelled_by)
             values ($1, $2, $3, $4, $5)",
        )
        .bind(id.hotel_id().get())
        .bind(id.as_uuid())
        .bind(&why.reason)
        .bind(why.relocated_to.map(ReservationId::as_uuid))
        .bind(origin.map(|origin| &*origin.actor))
        .execute(&mut *self.0)
        .await?;
        let (Some(origin), Some(relocated_to)) = (origin, why.relocated_to) else { return Ok(()) };
        let shown = json!({ "relocated_to": relocated_to.to_string() });
        let object = ("hotel_cancellation", &*id.to_string());
        Ok(audit::insert(&mut self.0, origin, object, None, Some(&shown)).await?)
    }
}
