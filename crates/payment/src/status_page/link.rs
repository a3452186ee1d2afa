//! Addresses of status pages: whoever has one may read the page, and nobody can guess one.
//!
//! An address names its booking and carries an HMAC-SHA256 of its id. It does not expire: refunds come late, the page
//! shows nothing of the guest, and nothing can be changed there. All addresses end with the key they were signed with.

use std::str::FromStr;

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use clap::Args;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;
use staymesh_domain::ReservationId;

/// What is signed before the id, so that a signature of anything else with the same key is none of these.
const PURPOSE: &[u8] = b"staymesh status page of ";
/// Longest key of an address that is looked at, in bytes; ours have 43.
const MAX_KEY: usize = 64;
/// Shortest key to sign with, in bytes.
const MIN_LINK_KEY: usize = 32;

/// Where status pages are, and how they are locked.
#[derive(Args, Clone, Debug)]
pub struct LinkConfig {
    /// How browsers reach the public gateway, for example `https://booking.example`: status pages are there.
    #[arg(long, env = "STAYMESH_PUBLIC_URL")]
    pub public_url: String,
    /// Keys that addresses of status pages are signed with: `BASE64[,BASE64…]`, each of 32 bytes or more. The first
    /// signs, all open.
    #[arg(long, env = "STAYMESH_STATUS_LINK_KEYS", hide_env_values = true, value_delimiter = ',', required = true)]
    pub status_link_keys: Vec<LinkKey>,
}

/// A key to sign addresses with.
#[derive(Clone, Debug)]
pub struct LinkKey(SecretSlice<u8>);

impl FromStr for LinkKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The messages must not repeat the text: it is a secret.
        let bytes = BASE64_STANDARD.decode(text.trim()).map_err(|_| "a status link key is not base64")?;
        if bytes.len() < MIN_LINK_KEY {
            Err("a status link key is shorter than 32 bytes")
        } else {
            Ok(Self(bytes.into()))
        }
    }
}

/// Makes and checks the addresses of status pages.
#[derive(Clone)]
pub struct StatusLinks {
    base: String,
    /// Where guests go after a payment instead, when the operator says so.
    return_url: Option<String>,
    signing: Hmac<Sha256>,
    opening: Vec<Hmac<Sha256>>,
}

impl StatusLinks {
    /// The addresses that the settings say. `return_url` is where guests go after a payment that names no address, if
    /// that is not to be their status page.
    ///
    /// # Errors
    /// What is wrong with the settings, without the keys.
    pub fn new(config: &LinkConfig, return_url: Option<String>) -> Result<Self, String> {
        let url = &config.public_url;
        let web = Url::parse(url).is_ok_and(|parsed| {
            matches!(parsed.scheme(), "http" | "https") && parsed.query().is_none() && parsed.fragment().is_none()
        });
        if !web {
            return Err(format!("STAYMESH_PUBLIC_URL: '{url}' is not an address like https://booking.example"));
        }
        let keys = config.status_link_keys.iter().map(|key| Hmac::new_from_slice(key.0.expose_secret()));
        let opening: Vec<_> = keys.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let signing = opening.first().cloned().ok_or("STAYMESH_STATUS_LINK_KEYS has no key")?;
        Ok(Self { base: url.trim_end_matches('/').to_owned(), return_url, signing, opening })
    }

    /// The address of a booking's page.
    pub fn url(&self, id: ReservationId) -> String {
        let key = BASE64_URL_SAFE_NO_PAD.encode(signed(&self.signing, id).finalize().into_bytes());
        format!("{}/v1/statusPages/{id}?key={key}", self.base)
    }

    /// Where the provider's page sends the guest of a payment that names no address.
    pub fn after_payment(&self, id: ReservationId) -> String {
        self.return_url.clone().unwrap_or_else(|| self.url(id))
    }

    /// Whether the key is the one of this booking's address. Takes the same time for each wrong one.
    pub fn opens(&self, id: ReservationId, key: &str) -> bool {
        let Some(key) = (key.len() <= MAX_KEY).then(|| BASE64_URL_SAFE_NO_PAD.decode(key).ok()).flatten() else {
            return false;
        };
        // Every key is tried, so that the time does not tell which it was.
        self.opening.iter().fold(false, |open, mac| signed(mac, id).verify_slice(&key).is_ok() | open)
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
    fn an_address_opens_its_own_page_and_no_other() {
        let (links, id) = (links(&[1]), reservation_id());
        let url = links.url(id);
        assert!(url.starts_with(&format!("https://booking.example/v1/statusPages/{id}?key=")), "{url}");
        let key = key_of(&links, id);
        assert_eq!(key.len(), 43);
        assert!(links.opens(id, &key));
        assert!(!links.opens(reservation_id(), &key));
        for at in 0..key.len() {
            let mut changed = key.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(!links.opens(id, std::str::from_utf8(&changed).expect("ASCII")), "byte {at}");
        }
        for bad in ["", "A", &key[..42], &format!("{key}A"), &format!("{key}="), &"A".repeat(100_000)] {
            assert!(!links.opens(id, bad), "{bad:.60}");
        }
    }

    #[test]
    fn old_addresses_open_until_their_key_is_gone() {
        let id = reservation_id();
        let old = key_of(&links(&[1]), id);
        assert!(links(&[2, 1]).opens(id, &old));
        assert_eq!(key_of(&links(&[1, 2]), id), old, "the first signs");
        assert!(!links(&[2]).opens(id, &old));
    }

    #[test]
    fn settings_that_are_none_are_refused_without_being_shown() {
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
    fn guests_go_where_the_operator_says_or_to_their_page() {
        let (ours, id) = (links(&[1]), reservation_id());
        assert_eq!(ours.after_payment(id), ours.url(id));
        let site = StatusLinks { return_url: Some("https://site.example/thanks".into()), ..ours };
        assert_eq!(site.after_payment(id), "https://site.example/thanks");
    }

    proptest! {
        #[test]
        fn no_key_makes_it_panic(key in ".{0,80}") {
            prop_assert!(!links(&[1]).opens(reservation_id(), &key));
        }
    }
}
