//! Links to status pages: bearer URLs that name a reservation and carry an HMAC-SHA256 of its id.
//!
//! Possession of the link is the authorization to read the page. A link does not expire, because refunds may succeed weeks
//! later; the page contains no personal data and allows no changes. Removing a signing key from the configuration revokes
//! every link signed with it.

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;
use staymesh_domain::ReservationId;

/// Domain separation: prefix of the signed message, so that no other signature with the same key is a valid link.
const PURPOSE: &[u8] = b"staymesh status page of ";
/// Longest `key` parameter that is decoded, in bytes; a valid one has 43.
const MAX_KEY: usize = 64;
/// Shortest signing key, in bytes.
const MIN_LINK_KEY: usize = 32;

/// Settings of the links to status pages.
#[derive(Args, Clone, Debug)]
pub struct LinkConfig {
    /// Base URL of the public gateway, for example `https://booking.example`; it serves the status pages.
    #[arg(long, env = "STAYMESH_PUBLIC_URL")]
    pub public_url: String,
    /// Signing keys of the links: `BASE64[,BASE64…]`, each of 32 bytes or more. The first one signs; links signed with
    /// any of them are accepted.
    #[arg(long, env = "STAYMESH_STATUS_LINK_KEYS", hide_env_values = true, value_delimiter = ',', required = true)]
    pub status_link_keys: Vec<LinkKey>,
}

/// A signing key. `Debug` does not show it.
#[derive(Clone, Debug)]
pub struct LinkKey(SecretSlice<u8>);

impl FromStr for LinkKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The messages must not contain the text, which is a secret.
        let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| "a status link key is not base64")?;
        if bytes.len() < MIN_LINK_KEY {
            Err("a status link key is shorter than 32 bytes")
        } else {
            Ok(Self(bytes.into()))
        }
    }
}

/// Creates and verifies links to status pages.
#[derive(Clone)]
pub struct StatusLinks {
    base: String,
    /// `STAYMESH_PSP_RETURN_URL`: where guests go after a payment, if not to their status page.
    return_url: Option<String>,
    signing: Hmac<Sha256>,
    accepted: Vec<Hmac<Sha256>>,
}

impl StatusLinks {
    /// Links with these settings. `return_url` overrides [`Self::after_payment`] for every reservation.
    ///
    /// # Errors
    /// A description of the invalid setting, which contains no key: a base URL that is not http or https or that has a
    /// query or fragment, or no signing key.
    pub fn new(config: &LinkConfig, return_url: Option<String>) -> Result<Self, String> {
        let url = &config.public_url;
        let web = Url::parse(url).is_ok_and(|parsed| {
            matches!(parsed.scheme(), "http" | "https") && parsed.query().is_none() && parsed.fragment().is_none()
        });
        if !web {
            return Err(format!("STAYMESH_PUBLIC_URL: '{url}' is not an address like https://booking.example"));
        }
        let keys = config.status_link_keys.iter().map(|key| Hmac::new_from_slice(key.0.expose_secret()));
        let accepted: Vec<_> = keys.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let signing = accepted.first().cloned().ok_or("STAYMESH_STATUS_LINK_KEYS has no key")?;
        Ok(Self { base: url.trim_end_matches('/').to_owned(), return_url, signing, accepted })
    }

    /// The link to a reservation's status page.
    pub fn url(&self, id: ReservationId) -> String {
        let key = BASE64_URL_SAFE_NO_PAD.encode(signed(&self.signing, id).finalize().into_bytes());
        format!("{}/v1/statusPages/{id}?key={key}", self.base)
    }

    /// Where the checkout page sends the guest if the payment was created without a return URL.
    pub fn after_payment(&self, id: ReservationId) -> String {
        self.return_url.clone().unwrap_or_else(|| self.url(id))
    }

    /// Whether `key` is a valid signature of this reservation's id. Constant time for keys of valid length.
    pub fn verify(&self, id: ReservationId, key: &str) -> bool {
        let Some(key) = (key.len() <= MAX_KEY).then(|| BASE64_URL_SAFE_NO_PAD.decode(key).ok()).flatten() else {
            return false;
        };
        // No early exit: the duration must not reveal which key matched.
        self.accepted.iter().fold(false, |valid, mac| signed(mac, id).verify_slice(&key).is_ok() | valid)
    }
}

fn signed(mac: &Hmac<Sha256>, id: ReservationId) -> Hmac<Sha256> {
    let mut mac = mac.clone();
    mac.update(PURPOSE);
    mac.update(id.as_uuid().as_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::reservation_id;

    fn links(keys: &[u8]) -> StatusLinks {
        let status_link_keys =
            keys.iter().map(|byte| BASE64_STANDARD.encode([*byte; 32]).parse().expect("a key")).collect();
        let config = LinkConfig { public_url: "https://booking.example/".into(), status_link_keys };
        StatusLinks::new(&config, None).expect("settings")
    }

    fn key_of(links: &StatusLinks, id: ReservationId) -> String {
        links.url(id).split_once("?key=").expect("a key").1.to_owned()
    }

    #[test]
    fn link_is_valid_for_its_reservation_only() {
        let (links, id) = (links(&[1]), reservation_id());
        let url = links.url(id);
        assert!(url.starts_with(&format!("https://booking.example/v1/statusPages/{id}?key=")), "{url}");
        let key = key_of(&links, id);
        assert_eq!(key.len(), 43);
        assert!(links.verify(id, &key));
        assert!(!links.verify(reservation_id(), &key));
        for at in 0..key.len() {
            let mut changed = key.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(!links.verify(id, std::str::from_utf8(&changed).expect("ASCII")), "byte {at}");
        }
        for bad in ["", "A", &key[..42], &format!("{key}A"), &format!("{key}="), &"A".repeat(100_000)] {
            assert!(!links.verify(id, bad), "{bad:.60}");
        }
    }

    #[test]
    fn link_is_valid_until_its_signing_key_is_removed() {
        let id = reservation_id();
        let old = key_of(&links(&[1]), id);
        assert!(links(&[2, 1]).verify(id, &old));
        assert_eq!(key_of(&links(&[1, 2]), id), old, "the first signs");
        assert!(!links(&[2]).verify(id, &old));
    }

    #[test]
    fn invalid_settings_are_refused_without_showing_keys() {
        let short = BASE64_STANDARD.encode([7; 31]);
        for bad in ["", "!!!", &short] {
            let error = bad.parse::<LinkKey>().expect_err(bad);
            assert!(bad.is_empty() || !error.contains(bad), "{error}");
        }
        let key: LinkKey = BASE64_STANDARD.encode([7; 32]).parse().expect("a key");
        assert!(!format!("{key:?}").contains("7, 7"));
        for url in
            ["", "booking.example", "ftp://booking.example", "javascript:x", "https://b.example/?x", "https://b/#x"]
        {
            let config = LinkConfig { public_url: url.into(), status_link_keys: vec![key.clone()] };
            assert!(StatusLinks::new(&config, None).is_err(), "{url}");
        }
        let config = LinkConfig { public_url: "https://booking.example".into(), status_link_keys: vec![] };
        assert!(StatusLinks::new(&config, None).is_err());
    }

    #[test]
    fn after_payment_is_return_url_or_status_page() {
        let (ours, id) = (links(&[1]), reservation_id());
        assert_eq!(ours.after_payment(id), ours.url(id));
        let site = StatusLinks { return_url: Some("https://site.example/thanks".into()), ..ours };
        assert_eq!(site.after_payment(id), "https://site.example/thanks");
    }

    proptest! {
        #[test]
        fn verify_accepts_no_arbitrary_key(key in ".{0,80}") {
            prop_assert!(!links(&[1]).verify(reservation_id(), &key));
        }
    }
}
