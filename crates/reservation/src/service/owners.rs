//! Owners whose account was deleted.

use jiff::Timestamp;
use staymesh_domain::UserId;

use super::BookingService;
use crate::{calendar::today, error::ReservationError};

impl BookingService {
    /// Records that the account of an owner was deleted, and erases personal data of its reservations that are over.
    /// Idempotent.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn forget_owner(&self, owner: UserId, now: Timestamp) -> Result<(), ReservationError> {
        let owner = owner.to_string();
        self.store.insert_forgotten(&owner).await?;
        let erased = self.store.erase_guests(&owner, today(now)).await?;
        tracing::info!(owner, reservations = erased, "personal data of a deleted account erased");
        Ok(())
    }
}
