//! Owners of reservations: who books owns, except that what staff book belongs to their hotel; and owners whose account was deleted.

use jiff::Timestamp;
use staymesh_domain::{HotelId, UserId};
use staymesh_mesh::{Caller, auth::Role};

use super::BookingService;
use crate::{calendar::today, error::ReservationError};

/// The owner of what the caller books at a hotel: the caller, or for staff the hotel, so that it outlives their accounts.
/// `None` for staff of other hotels.
pub(crate) fn booking_owner(caller: &Caller, hotel_id: HotelId) -> Option<String> {
    match caller.role {
        Role::Staff | Role::Admin => caller.works_for(hotel_id).then(|| format!("hotel:{hotel_id}")),
        _ => Some(caller.subject.clone()),
    }
}

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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::guest(Role::Guest, &[], Some("user:1"))]
    #[case::partner(Role::Partner, &[], Some("user:1"))]
    #[case::staff(Role::Staff, &[7], Some("hotel:7"))]
    #[case::staff_of_others(Role::Staff, &[8], None)]
    #[case::admin(Role::Admin, &[], Some("hotel:7"))]
    fn what_staff_book_belongs_to_their_hotel(#[case] role: Role, #[case] hotels: &[i32], #[case] owner: Option<&str>) {
        let hotel = |id: i32| HotelId::try_from(id).expect("an id");
        let hotel_ids = hotels.iter().map(|id| hotel(*id)).collect();
        let caller =
            Caller { subject: "user:1".into(), role, hotel_ids, email_verified: false, session: "session".into() };
        assert_eq!(booking_owner(&caller, hotel(7)).as_deref(), owner);
    }
}
