//! Accounts of people: sign-up, lookup, roles.

use std::sync::Arc;

use sqlx::PgPool;
use staymesh_domain::{Email, UserId};
use staymesh_mesh::auth::{Claims, Revocations, Role};
use staymesh_store::{ResultExt, idempotency::require_same, outbox::Wake};
use uuid::Uuid;

use super::{
    critical_tasks::CriticalTasks,
    passwords::{Passwords, Requester},
    revoke::revoke,
    throttle::{Source, Throttle},
};
use crate::{
    error::IdentityError,
    events,
    model::{Account, RoleAssignment, SignUp},
    store::{
        audit::USER,
        logins,
        users::{self, NewUser},
    },
};

/// The accounts.
#[derive(Clone)]
pub(crate) struct AccountService {
    pub(crate) pool: PgPool,
    pub(crate) passwords: Arc<dyn Passwords>,
    /// `None` for an operator, whose attempts are not counted.
    pub(crate) throttle: Option<Throttle>,
    pub(crate) revocations: Revocations,
    pub(crate) critical: CriticalTasks,
    /// Wakes the relay of mails.
    pub(crate) wake: Wake,
}

impl AccountService {
    /// Creates a guest account. Idempotent for a request id: a retry with the same content returns the account that the
    /// first attempt created.
    ///
    /// # Errors
    /// [`IdentityError::EmailTaken`], [`IdentityError::RequestIdReused`], [`IdentityError::Overloaded`] and
    /// [`IdentityError::LoginThrottled`].
    pub(crate) async fn sign_up(&self, sign_up: SignUp, source: Source) -> Result<Account, IdentityError> {
        self.create(sign_up, Role::Guest, source).await
    }

    /// Creates an account with this role. See [`Self::sign_up`].
    pub(crate) async fn create(&self, sign_up: SignUp, role: Role, source: Source) -> Result<Account, IdentityError> {
        if let Some(account) = self.created_before(&sign_up, source).await? {
            return Ok(account);
        }
        let user_id = UserId::new();
        let requester = Requester { source, known: false };
        let user = NewUser {
            user_id,
            email: &sign_up.email,
            password_hash: &self.passwords.hash_for(requester, &sign_up.password).await?,
            display_name: &sign_up.display_name,
            role: role_name(role)?,
            language: sign_up.language,
            request_id: sign_up.request_id,
        };
        let taken = |name: &str| match name {
            "user_account_email_key" => Some(IdentityError::EmailTaken),
            "user_account_request_id_key" => Some(IdentityError::RequestIdReused),
            _ => None,
        };
        let mut transaction = self.pool.begin().await?;
        match users::insert(&mut transaction, &user).await.on_constraints(taken) {
            Ok(()) => {
                if role == Role::Guest {
                    let confirmation = events::NewToken { token_id: Uuid::new_v4() };
                    events::enqueue(&mut transaction, user_id, events::CONFIRM_EMAIL, &confirmation).await?;
                }
                transaction.commit().await?;
                self.wake.wake();
                self.get(user_id).await
            }
            // Perhaps a concurrent attempt of the same request created it.
            Err(error @ (IdentityError::EmailTaken | IdentityError::RequestIdReused)) => {
                transaction.rollback().await?;
                self.created_before(&sign_up, source).await?.ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    /// The account that an earlier attempt of this request created. The row of the account is the stored answer. The
    /// password is compared with its argon2 hash, as in a login, so that no fast fingerprint of it is kept; and it counts as
    /// a login, so that a repeat cannot try passwords.
    async fn created_before(&self, sign_up: &SignUp, source: Source) -> Result<Option<Account>, IdentityError> {
        let Some(request_id) = sign_up.request_id else { return Ok(None) };
        let Some((user_id, hash)) = users::of_request(&self.pool, request_id).await? else { return Ok(None) };
        let account = self.get(user_id).await?;
        let same_content = account.email == sign_up.email.as_str()
            && account.display_name == sign_up.display_name
            && account.language == sign_up.language
            && self.is_password(sign_up, &hash, source).await?;
        Ok(Some(require_same(account, same_content)?))
    }

    async fn is_password(&self, sign_up: &SignUp, hash: &str, source: Source) -> Result<bool, IdentityError> {
        let Some(throttle) = &self.throttle else { return self.passwords.verify(&sign_up.password, hash).await };
        let known = throttle.admit(&sign_up.email, source).await?;
        let valid = self.passwords.verify_for(Requester { source, known }, &sign_up.password, hash).await;
        match &valid {
            Ok(true) => throttle.succeeded(&sign_up.email, source).await,
            Err(IdentityError::Overloaded) => throttle.not_verified(&sign_up.email, source).await,
            _ => {}
        }
        valid
    }

    /// The account with this id.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`].
    pub(crate) async fn get(&self, user_id: UserId) -> Result<Account, IdentityError> {
        users::get(&self.pool, user_id).await?.ok_or(IdentityError::UserNotFound)
    }

    /// The account with this address.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`].
    pub(crate) async fn find(&self, email: &Email) -> Result<Account, IdentityError> {
        let credentials = users::credentials(&self.pool, email).await?.ok_or(IdentityError::UserNotFound)?;
        self.get(credentials.user_id).await
    }

    /// Sets the role of an account. If it changes, all logins of the account end, so that no older token carries the
    /// former role. Idempotent; a retry publishes the revocations again, in case Redis was unavailable before.
    ///
    /// # Errors
    /// [`IdentityError::UserNotFound`].
    pub(crate) async fn set_role(&self, user_id: UserId, assignment: RoleAssignment) -> Result<Account, IdentityError> {
        let accounts = self.clone();
        self.critical.run(Box::pin(async move { accounts.change_role(user_id, &assignment).await })).await
    }

    async fn change_role(&self, user_id: UserId, assignment: &RoleAssignment) -> Result<Account, IdentityError> {
        let role = role_name(assignment.role)?;
        let mut transaction = self.pool.begin().await?;
        // Logins and refreshes take a share lock on the account while they read its role, so this lock excludes them.
        if !users::lock(&mut transaction, user_id).await? {
            return Err(IdentityError::UserNotFound);
        }
        let before = users::get(&mut *transaction, user_id).await?.ok_or(IdentityError::UserNotFound)?;
        // A guest checkout has no account that could work for a hotel.
        if before.guest_checkout {
            return Err(IdentityError::UserNotFound);
        }
        if before.role != role || before.hotel_ids != assignment.hotel_ids {
            let watched = USER.before(&mut transaction, &user_id).await?;
            users::set_role(&mut transaction, user_id, role, &assignment.hotel_ids).await?;
            watched.record(&mut transaction).await?;
            logins::revoke_all(&mut transaction, user_id, "role_changed").await?;
        }
        let ended: Vec<Uuid> = logins::revoked_with_live_tokens(&mut transaction, user_id).await?;
        let after = users::get(&mut *transaction, user_id).await?.ok_or(IdentityError::UserNotFound)?;
        transaction.commit().await?;
        revoke(&self.revocations, &ended.iter().map(Uuid::to_string).collect::<Vec<_>>()).await;
        Ok(after)
    }
}

fn role_name(role: Role) -> Result<&'static str, IdentityError> {
    Claims::role_name(role).ok_or_else(|| IdentityError::defect("an account without a role"))
}
