//! Requests of the token and revocation endpoints: parameters in a form or in JSON, client credentials in HTTP Basic or
//! among the parameters (RFC 6749, sections 2.3.1 and 3.2).

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use staymesh_api::google::api::HttpBody;
use staymesh_domain::{FieldError, FieldErrors};
use tonic::metadata::MetadataMap;
use url::form_urlencoded;

use super::request::non_empty;
use crate::error::IdentityError;

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// What a token request asks for.
pub(super) enum Grant {
    /// A client's token.
    ClientCredentials { client_id: String, secret: SecretString },
    /// New tokens of a person's login.
    RefreshToken(SecretString),
}

/// The parameters of a request by name, each given once and not empty. Values may be secrets, so they are never shown.
pub(super) struct Parameters(BTreeMap<String, String>);

/// Client credentials from the header `authorization: Basic`.
pub(super) struct Basic {
    client_id: String,
    secret: String,
}

impl Grant {
    /// The grant of these parameters.
    ///
    /// # Errors
    /// Every invalid parameter, credentials in two places among them.
    pub(super) fn parse(mut parameters: Parameters, basic: Option<Basic>) -> Result<Self, IdentityError> {
        match parameters.take("grant_type").as_str() {
            "client_credentials" => parameters.client_credentials(basic),
            "refresh_token" => {
                let token = non_empty("refresh_token", parameters.take("refresh_token"))?;
                Ok(Self::RefreshToken(token.into()))
            }
            _ => {
                let mut errors = FieldErrors::default();
                errors.push(FieldError::new("grant_type", "must be \"client_credentials\" or \"refresh_token\""));
                Err(errors.into())
            }
        }
    }
}

impl Parameters {
    /// The parameters of a form or of a JSON object, by the type of the body.
    ///
    /// # Errors
    /// `body` when it is of another type, cannot be read, or has a parameter twice. Its content is not repeated.
    pub(super) fn parse(body: Option<HttpBody>) -> Result<Self, IdentityError> {
        let body = body.unwrap_or_default();
        let kind = body.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let parsed = match kind.as_str() {
            FORM => Self::of_form(&body.data),
            JSON => serde_json::from_slice(&body.data)
                .map_err(|_| "must be a JSON object of texts, each parameter given once".to_owned()),
            _ => Err(format!("must be of type {FORM} or {JSON}")),
        };
        parsed.map_err(|why| FieldError::new("body", why).into())
    }

    fn of_form(data: &[u8]) -> Result<Self, String> {
        let mut parameters = Self(BTreeMap::new());
        for (name, value) in form_urlencoded::parse(data) {
            parameters.add(name, value).map_err(|()| "has a parameter twice".to_owned())?;
        }
        Ok(parameters)
    }

    /// Adds a parameter. A parameter without a value counts as absent (RFC 6749, section 3.2).
    fn add(&mut self, name: Cow<'_, str>, value: Cow<'_, str>) -> Result<(), ()> {
        if value.is_empty() {
            return Ok(());
        }
        self.0.insert(name.into_owned(), value.into_owned()).map_or(Ok(()), |_| Err(()))
    }

    fn take(&mut self, name: &str) -> String {
        self.0.remove(name).unwrap_or_default()
    }

    fn client_credentials(mut self, basic: Option<Basic>) -> Result<Grant, IdentityError> {
        let (client_id, secret) = (self.take("client_id"), self.take("client_secret"));
        let Some(basic) = basic else {
            let mut errors = FieldErrors::default();
            let client_id = errors.value(non_empty("client_id", client_id));
            let secret = errors.value(non_empty("client_secret", secret)).map(SecretString::from);
            let grant = client_id.zip(secret).map(|(client_id, secret)| Grant::ClientCredentials { client_id, secret });
            return grant.ok_or_else(|| errors.into());
        };
        let mut errors = FieldErrors::default();
        errors.holds(secret.is_empty(), "client_secret", "must not be in the body beside HTTP Basic");
        // Libraries repeat the id in the body.
        let same = client_id.is_empty() || client_id == basic.client_id;
        errors.holds(same, "client_id", "must be that of HTTP Basic");
        errors.into_result()?;
        Ok(Grant::ClientCredentials { client_id: basic.client_id, secret: basic.secret.into() })
    }

    /// The refresh token of a revocation request.
    ///
    /// # Errors
    /// `token` when it is absent or an access token.
    pub(super) fn refresh_token_to_revoke(mut self) -> Result<SecretString, IdentityError> {
        let token = non_empty("token", self.take("token"))?;
        // Only access tokens, which are JSON Web Tokens, have dots.
        if token.contains('.') {
            return Err(FieldError::new("token", "must be a refresh token; access tokens expire by themselves").into());
        }
        Ok(token.into())
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Parameters;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parameters, A::Error> {
                let mut parameters = Parameters(BTreeMap::new());
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    parameters.add(name.into(), value.into()).map_err(|()| Error::custom("twice"))?;
                }
                Ok(parameters)
            }
        }
        deserializer.deserialize_map(Texts)
    }
}

impl Basic {
    /// The credentials of the call; `None` without the header or with another scheme. Id and secret are form-encoded
    /// before they are joined (RFC 6749, section 2.3.1).
    ///
    /// # Errors
    /// [`IdentityError::BadCredentials`] when they cannot be read.
    pub(super) fn of(metadata: &MetadataMap) -> Result<Option<Self>, IdentityError> {
        let Some(header) = metadata.get("authorization") else { return Ok(None) };
        let text = header.to_str().map_err(|_| IdentityError::BadCredentials)?;
        let Some((scheme, encoded)) = text.split_once(' ') else { return Ok(None) };
        if !scheme.eq_ignore_ascii_case("basic") {
            return Ok(None);
        }
        Self::decode(encoded.trim()).map(Some).ok_or(IdentityError::BadCredentials)
    }

    fn decode(encoded: &str) -> Option<Self> {
        let joined = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (client_id, secret) = joined.split_once(':')?;
        let decoded = |text: &str| {
            let pair = form_urlencoded::parse(text.as_bytes()).next();
            pair.filter(|(_, value)| value.is_empty()).map(|(name, _)| name.into_owned())
        };
        Some(Self { client_id: decoded(client_id)?, secret: decoded(secret)? })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn parse(kind: &str, body: &str) -> Result<Parameters, IdentityError> {
        Parameters::parse(Some(HttpBody {
            content_type: kind.to_owned(),
            data: body.as_bytes().to_vec(),
            extensions: Vec::new(),
        }))
    }

    fn basic(joined: &str) -> Result<Option<Basic>, IdentityError> {
        let mut metadata = MetadataMap::new();
        let header = format!("bAsIc {}", STANDARD.encode(joined));
        metadata.insert("authorization", header.parse().unwrap());
        Basic::of(&metadata)
    }

    fn fields(error: &IdentityError) -> Vec<&str> {
        let IdentityError::Fields(fields) = error else { panic!("{error}") };
        fields.iter().map(|field| field.field.as_str()).collect()
    }

    fn credentials(kind: &str, body: &str, basic: Option<Basic>) -> (String, String) {
        match Grant::parse(parse(kind, body).unwrap(), basic) {
            Ok(Grant::ClientCredentials { client_id, secret }) => (client_id, secret.expose_secret().to_owned()),
            Ok(Grant::RefreshToken(_)) => panic!("another grant"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn credentials_are_read_from_form_json_and_basic() {
        let expected = ("partner-1".to_owned(), "s+e c".to_owned());
        let form = "grant_type=client_credentials&client_id=partner-1&client_secret=s%2Be+c&scope=all";
        assert_eq!(credentials(FORM, form, None), expected);
        assert_eq!(credentials("Application/X-WWW-Form-Urlencoded; charset=UTF-8", form, None), expected);
        let json = r#"{"grant_type":"client_credentials","client_id":"partner-1","client_secret":"s+e c"}"#;
        assert_eq!(credentials(JSON, json, None), expected);
        for form in ["grant_type=client_credentials", "grant_type=client_credentials&client_id=partner-1&scope="] {
            assert_eq!(credentials(FORM, form, basic("partner-1:s%2Be%20c").unwrap()), expected);
        }
        // As URLEncoder of Java writes it, and byte_serialize of Rust's crate url.
        for (encoded, secret) in [("s%2Be+c%3A%25%2F%7E*", "s+e c:%/~*"), ("caf%C3%A9+%26%3D", "café &=")] {
            let given = basic(&format!("partner-1:{encoded}")).unwrap();
            let form = "grant_type=client_credentials";
            assert_eq!(credentials(FORM, form, given), ("partner-1".to_owned(), secret.to_owned()));
        }
    }

    #[test]
    fn credentials_in_two_places_are_refused() {
        for (form, field) in [
            ("grant_type=client_credentials&client_secret=x", "client_secret"),
            ("grant_type=client_credentials&client_id=other", "client_id"),
        ] {
            let error = Grant::parse(parse(FORM, form).unwrap(), basic("partner-1:x").unwrap()).err().unwrap();
            assert_eq!(fields(&error), [field]);
        }
    }

    #[test]
    fn unreadable_body_is_refused_without_repeating_it() {
        for (kind, body) in [
            (FORM, "client_secret=hidden&client_secret=hidden"),
            (JSON, r#"{"client_secret":"hidden","client_secret":"hidden"}"#),
            (JSON, r#"{"client_secret":"hidden""#),
            (JSON, r#"["hidden"]"#),
            (JSON, r#"{"client_secret":1}"#),
            ("text/plain", "hidden"),
            ("", ""),
        ] {
            let error = parse(kind, body).err().unwrap();
            assert_eq!(fields(&error), ["body"], "{kind} {body}");
            assert!(!error.to_string().contains("hidden"));
        }
    }

    #[test]
    fn unknown_grant_and_missing_credentials_are_named() {
        let error = |form: &str| Grant::parse(parse(FORM, form).unwrap(), None).err().unwrap();
        assert_eq!(fields(&error("grant_type=password")), ["grant_type"]);
        assert_eq!(fields(&error("")), ["grant_type"]);
        assert_eq!(fields(&error("grant_type=client_credentials&client_id=")), ["client_id", "client_secret"]);
        assert_eq!(fields(&error("grant_type=refresh_token")), ["refresh_token"]);
    }

    #[test]
    fn basic_that_cannot_be_read_is_refused_and_another_scheme_is_none() {
        for joined in ["no-colon", "a=b:c"] {
            assert!(matches!(basic(joined), Err(IdentityError::BadCredentials)), "{joined}");
        }
        let mut metadata = MetadataMap::new();
        assert!(Basic::of(&metadata).unwrap().is_none());
        metadata.insert("authorization", "Bearer token".parse().unwrap());
        assert!(Basic::of(&metadata).unwrap().is_none());
        metadata.insert("authorization", "Basic %%%".parse().unwrap());
        assert!(matches!(Basic::of(&metadata), Err(IdentityError::BadCredentials)));
    }

    #[test]
    fn access_token_is_no_token_to_revoke() {
        let token = |form: &str| parse(FORM, form).unwrap().refresh_token_to_revoke();
        assert_eq!(token("token=abc&token_type_hint=refresh_token").unwrap().expose_secret(), "abc");
        assert_eq!(fields(&token("token=a.b.c").unwrap_err()), ["token"]);
        assert_eq!(fields(&token("").unwrap_err()), ["token"]);
    }
}
