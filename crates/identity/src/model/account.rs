//! Accounts of people.

use std::fmt;

use jiff::Timestamp;
use secrecy::SecretString;
use sqlx::FromRow;
use staymesh_domain::{Email, HotelId, IdError, Language, UserId};
use staymesh_mesh::auth::Role;
use uuid::Uuid;

/// A sign-up whose fields are valid.
pub(crate) struct SignUp {
    pub(crate) email: Email,
    pub(crate) password: SecretString,
    pub(crate) display_name: String,
    /// Language of mails.
    pub(crate) language: Language,
    /// Makes retries idempotent; `None` if the caller sent none.
    pub(crate) request_id: Option<Uuid>,
}

/// A guest checkout whose fields are valid.
pub(crate) struct GuestCheckout {
    pub(crate) email: Email,
    /// Language of mails.
    pub(crate) language: Language,
    /// Makes retries idempotent; `None` if the caller sent none.
    pub(crate) request_id: Option<Uuid>,
}

/// Where a mail of another service goes.
pub(crate) struct MailRecipient {
    pub(crate) email: String,
    pub(crate) language: Language,
    /// Key of the link in the mail; `None` for a user who logs in.
    pub(crate) guest_key: Option<SecretString>,
}

/// The role that an account is to have. Only staff have hotels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleAssignment {
    pub(crate) role: Role,
    pub(crate) hotel_ids: HotelIds,
}

/// An account. `Debug` shows neither address nor name.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub(crate) struct Account {
    #[sqlx(try_from = "Uuid")]
    pub(crate) user_id: UserId,
    /// In lower case.
    pub(crate) email: String,
    /// Whether this is a guest checkout: an address that is no login name, and no password.
    pub(crate) guest_checkout: bool,
    pub(crate) display_name: String,
    /// `guest`, `staff` or `admin`.
    pub(crate) role: String,
    /// Empty unless the role is staff.
    #[sqlx(try_from = "Vec<i32>")]
    pub(crate) hotel_ids: HotelIds,
    /// When the owner confirmed the address; `None` until then.
    pub(crate) email_verified_time: Option<jiff_sqlx::Timestamp>,
    /// Language of mails.
    #[sqlx(try_from = "String")]
    pub(crate) language: Language,
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub(crate) create_time: Timestamp,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user_id", &self.user_id).field("role", &self.role).finish_non_exhaustive()
    }
}

/// The hotels that staff work for, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HotelIds(Vec<HotelId>);

impl HotelIds {
    /// These hotels, sorted.
    pub(crate) fn new(mut hotel_ids: Vec<HotelId>) -> Self {
        hotel_ids.sort_unstable();
        Self(hotel_ids)
    }

    /// The hotels of this list that are not in `others`.
    pub(crate) fn without(&self, others: &Self) -> impl Iterator<Item = HotelId> {
        self.0.iter().copied().filter(|id| !others.0.contains(id))
    }

    /// The ids as numbers, for the database, tokens and messages.
    pub(crate) fn to_numbers(&self) -> Vec<i32> {
        self.0.iter().map(|id| id.get()).collect()
    }
}

impl TryFrom<Vec<i32>> for HotelIds {
    type Error = IdError;

    fn try_from(numbers: Vec<i32>) -> Result<Self, IdError> {
        numbers.into_iter().map(HotelId::try_from).collect::<Result<_, _>>().map(Self::new)
    }
}
