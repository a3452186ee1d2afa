//! Clients: programs that call with OAuth 2.0 client credentials (RFC 6749, section 4.4).

use jiff::Timestamp;
use sqlx::FromRow;
use staymesh_domain::{ClientId, FieldError};
use staymesh_mesh::auth::{Claims, Role};
use uuid::Uuid;

use super::parse_display_name;

/// Position in a list of clients: registration time and id of the last client of a page.
pub(crate) type ClientKey = (Timestamp, String);

/// A registered client.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct Client {
    #[sqlx(rename = "client_id")]
    pub(crate) id: String,
    pub(crate) display_name: String,
    /// `partner` or `service`.
    pub(crate) role: String,
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub(crate) create_time: Timestamp,
    /// The valid secrets, newest first.
    #[sqlx(skip)]
    pub(crate) secrets: Vec<ClientSecret>,
}

/// What is known of a secret of a client; the secret itself is not.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub(crate) struct ClientSecret {
    pub(crate) secret_id: Uuid,
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub(crate) create_time: Timestamp,
    /// When a former secret stops being valid; `None` for the newest.
    pub(crate) expire_time: Option<jiff_sqlx::Timestamp>,
    /// The latest day (UTC) of a token issued for it.
    pub(crate) last_use_date: Option<jiff_sqlx::Date>,
}

/// A request for another secret, whose fields are valid.
#[derive(Clone, Debug)]
pub(crate) struct SecretRotation {
    pub(crate) client_id: String,
    /// Seconds for which the former secret stays valid, 0 to 30 days; `None` for the default.
    pub(crate) overlap_seconds: Option<i32>,
    /// Makes retries idempotent; `None` if the caller sent none.
    pub(crate) request_id: Option<Uuid>,
}

/// A registration whose fields are valid.
#[derive(Clone, Debug)]
pub(crate) struct Registration {
    pub(crate) client_id: String,
    pub(crate) display_name: String,
    /// `partner` or `service`.
    pub(crate) role: &'static str,
    /// Makes retries idempotent; `None` if the caller sent none.
    pub(crate) request_id: Option<Uuid>,
}

impl Registration {
    /// Validates the fields of a registration.
    ///
    /// # Errors
    /// Every invalid field: `client_id`, `display_name`, `role`.
    pub(crate) fn parse(client_id: String, display_name: &str, role: Role) -> Result<Self, Vec<FieldError>> {
        let mut errors = Vec::new();
        if let Err(error) = client_id.parse::<ClientId>() {
            errors.push(error);
        }
        let display_name = parse_display_name(display_name).map_err(|error| errors.push(error));
        let role = match role {
            Role::Partner | Role::Service => Claims::role_name(role),
            _ => None,
        };
        if role.is_none() {
            errors.push(FieldError::new("role", "must be ROLE_PARTNER or ROLE_SERVICE"));
        }
        match (display_name, role) {
            (Ok(display_name), Some(role)) if errors.is_empty() => {
                Ok(Self { client_id, display_name, role, request_id: None })
            }
            _ => Err(errors),
        }
    }
}

/// Whether text has the form of a client id.
pub(crate) fn is_client_id(text: &str) -> bool {
    text.parse::<ClientId>().is_ok()
}

/// Subject of a client's tokens.
pub(crate) fn subject_of(client_id: &str) -> String {
    format!("{}{client_id}", ClientId::SUBJECT_PREFIX)
}

/// Session of the tokens that are issued for a secret of a client. Each secret is a session of its own, so that revoking
/// the secret revokes its tokens.
pub(crate) fn session_of(client_id: &str, secret_id: Uuid) -> String {
    format!("{}:{secret_id}", subject_of(client_id))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ab", "", Role::Partner, &["client_id"])]
    #[case("Booking", "", Role::Partner, &["client_id"])]
    #[case("a_b_c", "x\ny", Role::Partner, &["client_id", "display_name"])]
    #[case("", "", Role::Unspecified, &["client_id", "role"])]
    #[case("partner-1", "", Role::Guest, &["role"])]
    #[case("partner-1", "", Role::Admin, &["role"])]
    #[case("partner-1", "A partner", Role::Partner, &[])]
    #[case("hotel", "", Role::Service, &[])]
    fn registration_reports_every_invalid_field(
        #[case] id: &str,
        #[case] name: &str,
        #[case] role: Role,
        #[case] invalid: &[&str],
    ) {
        let fields = match Registration::parse(id.to_owned(), name, role) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.field).collect(),
        };
        assert_eq!(fields, invalid);
    }
}
