//! Accounts of people: signing up, looking up, and what an account may do.

use std::sync::Arc;

use secrecy::SecretString;
use sqlx::PgPool;
use staymesh_domain::UserId;
use staymesh_mesh::auth::{Claims, Revocations, Role};
use staymesh_store::ResultExt;
use uuid::Uuid;

use crate::{
    email::Email,
    error::IdentityError,
    password::Passwords,
    store::{
        logins,
        users::{self, NewUser, UserRow},
    },
    uninterrupted::Uninterrupted,
};

/// A sign-up whose fields are valid.
pub(crate) struct SignUp {
    pub(crate) email: Email,
    pub(crate) password: SecretString,
    pub(crate) display_name: String,
    pub(crate) request_id: Option<Uuid>,
}

/// What an account shall be from now on. Only staff have hotels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Duty {
    pub(crate) role: Role,
    /// Ascending.
    pub(crate) hotel_ids: Vec<i32>,
}

/// The accounts.
#[derive(Clone)]
pub(crate) struct Accounts {
    pub(crate) pool: PgPool,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) revocations: Revocations,
    pub(crate) changes: Uninterrupted,
}

impl Accounts {
    /// Makes an account for a guest. A repeat with the same request id and content returns the account that was made.
    pub(crate) async fn sign_up(&self, sign_up: SignUp) -> Result<UserRow, IdentityError> {
        self.make(sign_up, Role::Guest).await
    }

    pub(crate) async fn make(&self, sign_up: SignUp, role: Role) -> Result<UserRow, IdentityError> {
        if let Some(user) = self.made_before(&sign_up).await? {
            return Ok(user);
        }
        let user_id = UserId::new().as_uuid();
        let user = NewUser {
            user_id,
            email: &sign_up.email,
            password_hash: &self.passwords.hash(&sign_up.password).await?,
            display_name: &sign_up.display_name,
            role: role_name(role)?,
            request_id: sign_up.request_id,
        };
        let taken = |name: &str| {
            matches!(name, "user_account_email_key" | "user_account_request_id_key")
                .then_some(IdentityError::EmailTaken)
        };
        match users::insert(&self.pool, &user).await.on_constraints(taken) {
            Ok(()) => self.get(user_id).await,
            // Perhaps by this very request, repeated while it was in progress.
            Err(IdentityError::EmailTaken) => self.made_before(&sign_up).await?.ok_or(IdentityError::EmailTaken),
            Err(error) => Err(error),
        }
    }

    /// The account that a sign-up with this request id made.
    async fn made_before(&self, sign_up: &SignUp) -> Result<Option<UserRow>, IdentityError> {
        let Some(request_id) = sign_up.request_id else { return Ok(None) };
        let Some((user_id, hash)) = users::of_request(&self.pool, request_id).await? else { return Ok(None) };
        let user = self.get(user_id).await?;
        // The password is compared with the stored hash, as in a login: nothing readable needs to be kept.
        let same = user.email == sign_up.email.as_str()
            && user.display_name == sign_up.display_name
            && self.passwords.verify(&sign_up.password, &hash).await?;
        if same { Ok(Some(user)) } else { Err(IdentityError::RequestIdReused) }
    }

    /// The account of an id.
    pub(crate) async fn get(&self, user_id: Uuid) -> Result<UserRow, IdentityError> {
        users::get(&self.pool, user_id).await?.ok_or(IdentityError::UserNotFound)
    }

    /// The account of an address.
    pub(crate) async fn find(&self, email: &Email) -> Result<UserRow, IdentityError> {
        let (user_id, _) = users::credentials(&self.pool, email).await?.ok_or(IdentityError::UserNotFound)?;
        self.get(user_id).await
    }

    /// Sets what an account may do, and ends its logins, so that no token of before says otherwise. A repeat changes
    /// nothing, but tells Redis again, in case it was away.
    pub(crate) async fn set_duty(&self, user_id: Uuid, duty: Duty) -> Result<UserRow, IdentityError> {
        let accounts = self.clone();
        self.changes.run(async move { accounts.change_duty(user_id, &duty).await }).await
    }

    async fn change_duty(&self, user_id: Uuid, duty: &Duty) -> Result<UserRow, IdentityError> {
        let role = role_name(duty.role)?;
        let mut transaction = self.pool.begin().await?;
        // From here on nobody logs in or refreshes with the old role: both hold the role while they read it.
        if !users::lock(&mut transaction, user_id).await? {
            return Err(IdentityError::UserNotFound);
        }
        let before = users::get(&mut *transaction, user_id).await?.ok_or(IdentityError::UserNotFound)?;
        if before.role != role || before.hotel_ids != duty.hotel_ids {
            users::set_role(&mut transaction, user_id, role, &duty.hotel_ids).await?;
            logins::revoke_all(&mut transaction, user_id).await?;
        }
        let ended = logins::revoked_with_live_tokens(&mut transaction, user_id).await?;
        let after = users::get(&mut *transaction, user_id).await?.ok_or(IdentityError::UserNotFound)?;
        transaction.commit().await?;
        for login_id in ended {
            revoke(&self.revocations, &login_id.to_string()).await;
        }
        Ok(after)
    }
}

/// Ends the access tokens of a login or a program for every service. When Redis is away they work until they end.
pub(crate) async fn revoke(revocations: &Revocations, session: &str) {
    if revocations.revoke(session).await.is_err() {
        tracing::warn!(session, "Redis is away: the access tokens of an ended login work until they end");
    }
}

fn role_name(role: Role) -> Result<&'static str, IdentityError> {
    Claims::role_name(role).ok_or_else(|| IdentityError::defect("an account without a role"))
}
