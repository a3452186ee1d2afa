//! Roles of accounts: which hotels staff may be given.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use staymesh_domain::{HotelId, UserId};

use super::accounts::AccountService;
use crate::{
    clients::hotel::HotelClient,
    error::IdentityError,
    model::{Account, RoleAssignment},
};

/// Calls of one request to the hotel service at a time.
const CALLS: usize = 8;

/// Changes of roles by administrators.
#[derive(Clone)]
pub(crate) struct RoleService {
    pub(crate) accounts: AccountService,
    pub(crate) hotels: Arc<dyn HotelClient>,
}

impl RoleService {
    /// Sets the role of an account, as [`AccountService::set_role`] does. Hotels that the account does not have yet must exist:
    /// ids are given in order, so staff of the next id would run a hotel that is created later. Hotels that it has are
    /// not looked up again, so that a repeat changes nothing, and hotels can be taken away after one of them was deleted.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`]; [`IdentityError::Dependency`] with `HOTEL_NOT_FOUND`, or with
    /// `DEPENDENCY_UNAVAILABLE` when the hotel service does not answer. Then nothing has changed.
    pub(crate) async fn set(&self, user_id: UserId, assignment: RoleAssignment) -> Result<Account, IdentityError> {
        let before = self.accounts.get(user_id).await?;
        let added: Vec<HotelId> = assignment.hotel_ids.without(&before.hotel_ids).collect();
        let required = |id: HotelId| async move { self.hotels.require_hotel(id).await };
        stream::iter(added).map(required).buffered(CALLS).try_collect::<()>().await?;
        self.accounts.set_role(user_id, assignment).await
    }
}
