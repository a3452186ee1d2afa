//! Parses requests into domain values. Every invalid field is reported, not only the first.

use jiff::Timestamp;
use secrecy::SecretString;
use staymesh_api::{
    identity::v1::{
        ChangePasswordRequest, CreateClientRequest, CreateGuestSessionRequest, CreateUserRequest,
        IssueClientTokenRequest, ListClientsRequest, LoginRequest, ResetPasswordRequest, ResolveMailRecipientRequest,
        RevokeClientSecretRequest, RotateClientSecretRequest, SetUserRoleRequest,
    },
    options::v1::Gateway,
};
use staymesh_domain::{
    Email, FieldError, FieldErrors, HotelId, Language, Page, PageError, UserId, parse_optional_request_id,
};
use staymesh_mesh::{auth::Role, gateway};
use tonic::Request;
use uuid::Uuid;

use crate::{
    error::IdentityError,
    grpc::role,
    model::{
        ClientKey, GuestCheckout, HotelIds, Registration, RoleAssignment, SecretRotation, SignUp, is_client_id,
        parse_display_name,
    },
    service::{passwords, throttle::Source},
};

/// Metadata with the address of the caller, set by the edge. The edge removes it from incoming requests.
const SOURCE_HEADER: &str = "x-staymesh-source";
/// A second in the year 9892, later than any registration.
const MAX_SECOND: i64 = 250_000_000_000;
/// Longest time for which a client may have two secrets.
const LONGEST_OVERLAP_SECONDS: i32 = 30 * 24 * 60 * 60;
/// Most hotels of one member of staff.
const MAX_HOTELS: usize = 100;

/// A field that must not be empty.
///
/// # Errors
/// Names `field`.
pub(super) fn required(field: &str, text: String) -> Result<String, IdentityError> {
    Ok(non_empty(field, text)?)
}

pub(super) fn non_empty(field: &str, text: String) -> Result<String, FieldError> {
    if text.is_empty() { Err(FieldError::new(field, "is required")) } else { Ok(text) }
}

/// The address of an account.
pub(super) fn email(text: &str) -> Result<Email, IdentityError> {
    Ok(Email::parse(text).map_err(FieldError::from)?)
}

/// The sign-up of a guest.
pub(super) fn sign_up(request: CreateUserRequest) -> Result<SignUp, IdentityError> {
    let mut errors = FieldErrors::default();
    let email = errors.value(Email::parse(&request.email));
    let password = errors.value(passwords::parse_new(request.password));
    let display_name = errors.value(parse_display_name(&request.display_name));
    let language = errors.value(Language::parse_or_default(&request.language));
    let request_id = errors.value(parse_optional_request_id(&request.request_id));
    if let (Some(email), Some(password), Some(display_name)) = (&email, &password, &display_name) {
        errors.value(passwords::refuse_context(password, email.as_str(), display_name));
    }
    let person = email.zip(password).zip(display_name);
    let (((email, password), display_name), (language, request_id)) =
        errors.complete(person.zip(language.zip(request_id)))?;
    Ok(SignUp { email, password, display_name, language, request_id })
}

/// A guest checkout.
pub(super) fn guest_checkout(request: &CreateGuestSessionRequest) -> Result<GuestCheckout, IdentityError> {
    let mut errors = FieldErrors::default();
    let email = errors.value(Email::parse(&request.email));
    let language = errors.value(Language::parse_or_default(&request.language));
    let request_id = errors.value(parse_optional_request_id(&request.request_id));
    let ((email, language), request_id) = errors.complete(email.zip(language).zip(request_id))?;
    Ok(GuestCheckout { email, language, request_id })
}

/// A mail of another service: its user, its id, and when the key of its link expires.
pub(super) fn mail(request: &ResolveMailRecipientRequest) -> Result<(UserId, Uuid, Timestamp), IdentityError> {
    let mut errors = FieldErrors::default();
    let user_id = errors.value(request.user_id.parse::<UserId>());
    let mail_id =
        errors.value(Uuid::try_parse(&request.mail_id).map_err(|_| FieldError::new("mail_id", "must be a UUID")));
    let expire_time = request.key_expire_time.as_ref().and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    let expire_time = errors.value(expire_time.ok_or_else(|| FieldError::new("key_expire_time", "is required")));
    match (user_id, mail_id, expire_time) {
        (Some(user_id), Some(mail_id), Some(expire_time)) => Ok((user_id, mail_id, expire_time)),
        _ => Err(errors.into()),
    }
}

/// Token and new password of a reset.
pub(super) fn password_reset(request: ResetPasswordRequest) -> Result<(SecretString, SecretString), IdentityError> {
    let mut errors = FieldErrors::default();
    let token = errors.value(non_empty("token", request.token));
    let password = errors.value(new_password(request.new_password));
    match (token, password) {
        (Some(token), Some(password)) => Ok((token.into(), password)),
        _ => Err(errors.into()),
    }
}

/// Current and new password.
pub(super) fn password_change(request: ChangePasswordRequest) -> Result<(SecretString, SecretString), IdentityError> {
    let mut errors = FieldErrors::default();
    let current = errors
        .value(passwords::parse_given(request.current_password).map_err(|error| renamed("current_password", error)));
    let new = errors.value(new_password(request.new_password));
    match (current, new) {
        (Some(current), Some(new)) => Ok((current, new)),
        _ => Err(errors.into()),
    }
}

fn new_password(text: String) -> Result<SecretString, FieldError> {
    passwords::parse_new(text).map_err(|error| renamed("new_password", error))
}

/// The same error, about the field that has another name in this request.
fn renamed(field: &str, error: FieldError) -> FieldError {
    FieldError::new(field, error.description)
}

/// Where a login comes from, as the edge saw it.
pub(super) fn source<T>(request: &Request<T>) -> Source {
    let source = request.metadata().get(SOURCE_HEADER).and_then(|value| value.to_str().ok());
    source.map(Source::parse).unwrap_or_default()
}

/// The gateway by which a request entered.
pub(super) fn entered<T>(request: &Request<T>) -> Gateway {
    gateway::entered(request.metadata().as_ref())
}

/// Address and password of a login.
pub(super) fn credentials(request: LoginRequest) -> Result<(Email, SecretString), IdentityError> {
    let mut errors = FieldErrors::default();
    let email = errors.value(Email::parse(&request.email));
    let password = errors.value(passwords::parse_given(request.password));
    email.zip(password).ok_or_else(|| errors.into())
}

/// Id and secret of a client, with the grant type `client_credentials`.
pub(super) fn client_credentials(request: IssueClientTokenRequest) -> Result<(String, SecretString), IdentityError> {
    let mut errors = FieldErrors::default();
    let known_grant = request.grant_type == "client_credentials";
    errors.holds(known_grant, "grant_type", "must be \"client_credentials\"");
    let client_id = errors.value(non_empty("client_id", request.client_id));
    let secret = errors.value(non_empty("client_secret", request.client_secret)).map(SecretString::from);
    match client_id.zip(secret) {
        Some(credentials) if errors.is_empty() => Ok(credentials),
        _ => Err(errors.into()),
    }
}

/// An account, and the role it is to have.
pub(super) fn role_assignment(request: &SetUserRoleRequest) -> Result<(UserId, RoleAssignment), IdentityError> {
    let mut errors = FieldErrors::default();
    let user_id = errors.value(request.user_id.parse::<UserId>());
    let assignment = assignment(&mut errors, role::from_proto(request.role()), &request.hotel_ids);
    user_id.zip(assignment).ok_or_else(|| errors.into())
}

/// Staff have 1 to 100 hotels; guests and administrators none; no other role belongs to an account.
fn assignment(errors: &mut FieldErrors, role: Role, numbers: &[i32]) -> Option<RoleAssignment> {
    let allowed = match role {
        Role::Staff => 1..=MAX_HOTELS,
        Role::Guest | Role::Admin => 0..=0,
        _ => {
            errors.push(FieldError::new("role", "must be ROLE_GUEST, ROLE_STAFF or ROLE_ADMIN"));
            return None;
        }
    };
    if !allowed.contains(&numbers.len()) {
        let why = if role == Role::Staff { "must be 1 to 100 hotels for staff" } else { "must be empty for this role" };
        errors.push(FieldError::new("hotel_ids", why));
        return None;
    }
    let (mut hotel_ids, mut valid) = (Vec::with_capacity(numbers.len()), true);
    for (index, number) in numbers.iter().enumerate() {
        let id = HotelId::try_from(*number).map_err(|error| error.at(format!("hotel_ids[{index}]")));
        match errors.value(id) {
            Some(id) => hotel_ids.push(id),
            None => valid = false,
        }
        if numbers[..index].contains(number) {
            errors.push(FieldError::new(format!("hotel_ids[{index}]"), "is there twice"));
            valid = false;
        }
    }
    valid.then(|| RoleAssignment { role, hotel_ids: HotelIds::new(hotel_ids) })
}

/// A client to register.
pub(super) fn registration(request: CreateClientRequest) -> Result<Registration, IdentityError> {
    let role = role::from_proto(request.role());
    let mut errors = FieldErrors::default();
    let request_id = errors.value(parse_optional_request_id(&request.request_id));
    match (Registration::parse(request.client_id, &request.display_name, role), request_id) {
        (Ok(new), Some(request_id)) => Ok(Registration { request_id, ..new }),
        (parsed, _) => Err(IdentityError::Fields(parsed.err().into_iter().flatten().chain(errors).collect())),
    }
}

/// A rotation of a client's secret.
pub(super) fn secret_rotation(request: RotateClientSecretRequest) -> Result<SecretRotation, IdentityError> {
    let mut errors = FieldErrors::default();
    let client_id = errors.value(non_empty("client_id", request.client_id));
    let overlap_seconds = request.overlap_seconds;
    let within = overlap_seconds.is_none_or(|seconds| (0..=LONGEST_OVERLAP_SECONDS).contains(&seconds));
    errors.holds(within, "overlap_seconds", "must be 0 to 2592000 (30 days)");
    let request_id = errors.value(parse_optional_request_id(&request.request_id));
    match client_id.zip(request_id) {
        Some((client_id, request_id)) if errors.is_empty() => {
            Ok(SecretRotation { client_id, overlap_seconds, request_id })
        }
        _ => Err(errors.into()),
    }
}

/// Client and id of a secret to revoke.
pub(super) fn revoked_secret(request: RevokeClientSecretRequest) -> Result<(String, Uuid), IdentityError> {
    let mut errors = FieldErrors::default();
    let client_id = errors.value(non_empty("client_id", request.client_id));
    let secret_id = Uuid::try_parse(&request.secret_id).map_err(|_| FieldError::new("secret_id", "must be a UUID"));
    client_id.zip(errors.value(secret_id)).ok_or_else(|| errors.into())
}

/// Which page of the clients.
pub(super) fn client_page(request: &ListClientsRequest) -> Result<Page<ClientKey>, IdentityError> {
    let mut errors = FieldErrors::default();
    let page = Page::collect(&mut errors, request.page_size, &request.page_token, &[]);
    if page.as_ref().is_some_and(|page| !is_plausible(page)) {
        errors.push(PageError::Token);
    }
    Ok(errors.complete(page)?)
}

/// Whether a page starts at a possible client. Tokens are not signed; a forged one may hold an id with a NUL or a time
/// that the database cannot represent.
fn is_plausible(page: &Page<ClientKey>) -> bool {
    page.after.as_ref().is_none_or(|(time, id)| is_client_id(id) && (0..MAX_SECOND).contains(&time.as_second()))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Role::Staff, &[], &["hotel_ids"])]
    #[case(Role::Staff, &[0, -1, 7, 7], &["hotel_ids[0]", "hotel_ids[1]", "hotel_ids[3]"])]
    #[case(Role::Guest, &[7], &["hotel_ids"])]
    #[case(Role::Admin, &[7], &["hotel_ids"])]
    #[case(Role::Partner, &[], &["role"])]
    #[case(Role::Service, &[], &["role"])]
    #[case(Role::Unspecified, &[], &["role"])]
    #[case(Role::Staff, &[9, 7], &[])]
    #[case(Role::Guest, &[], &[])]
    fn assignment_has_hotels_for_staff_only(#[case] role: Role, #[case] hotels: &[i32], #[case] invalid: &[&str]) {
        let mut errors = FieldErrors::default();
        let assignment = assignment(&mut errors, role, hotels);
        assert_eq!(errors.into_iter().map(|error| error.field).collect::<Vec<_>>(), invalid);
        assert_eq!(assignment.is_some(), invalid.is_empty());
        assert!(assignment.is_none_or(|assignment| assignment.hotel_ids.to_numbers().is_sorted()));
    }

    #[test]
    fn assignment_with_too_many_hotels_is_one_error() {
        let mut errors = FieldErrors::default();
        assert!(assignment(&mut errors, Role::Staff, &vec![1; 1_000_000]).is_none());
        assert_eq!(errors.into_iter().count(), 1);
    }
}
