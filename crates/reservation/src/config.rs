//! What the reservation service reads from its environment.

use std::{str::FromStr, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use secrecy::SecretSlice;
use staymesh_mesh::config::{ClientConfig, NodeConfig};
use staymesh_store::parse_duration;

/// Configuration of the reservation service.
#[derive(Args, Clone, Debug)]
pub struct Config {
    #[command(flatten)]
    #[expect(missing_docs)]
    pub node: NodeConfig,
    #[command(flatten)]
    #[expect(missing_docs)]
    pub client: ClientConfig,
    /// Where the hotel service listens.
    #[arg(long, env = "STAYMESH_HOTEL_URL")]
    pub hotel_url: String,
    /// Where the rate service listens.
    #[arg(long, env = "STAYMESH_RATE_URL")]
    pub rate_url: String,
    /// Where the payment service listens.
    #[arg(long, env = "STAYMESH_PAYMENT_URL")]
    pub payment_url: String,
    /// Keys that offers are signed with: `ID:BASE64[,ID:BASE64…]`, each of 32 bytes or more. The first signs; all verify.
    #[arg(long, env = "STAYMESH_OFFER_KEYS", hide_env_values = true)]
    pub offer_keys: OfferKeys,
    /// How long an unpaid booking holds its rooms.
    #[arg(long, env = "STAYMESH_HOLD", default_value = "15m", value_parser = parse_duration)]
    pub hold: Duration,
    /// Rooms that a guest may hold without having paid for them, in all unpaid bookings together; 0 is no limit. As many
    /// as one booking may have, unless there is a reason for less.
    #[arg(long, env = "STAYMESH_GUEST_UNPAID_ROOMS", default_value_t = 50)]
    pub guest_unpaid_rooms: u32,
    /// The same of a partner's program whose guests pay by themselves.
    #[arg(long, env = "STAYMESH_PARTNER_UNPAID_ROOMS", default_value_t = 1000)]
    pub partner_unpaid_rooms: u32,
    /// Lanes that bookings are dealt to by hotel, each with one transaction at a time.
    #[arg(long, env = "STAYMESH_WRITER_LANES", default_value_t = 4)]
    pub writer_lanes: usize,
}

/// Keys to sign offers with, newest first, by id.
#[derive(Clone, Debug)]
pub struct OfferKeys(pub(crate) Vec<(String, SecretSlice<u8>)>);

impl FromStr for OfferKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let keys = text.split(',').map(parse_key).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(keys))
    }
}

fn parse_key(text: &str) -> Result<(String, SecretSlice<u8>), String> {
    // The messages must not repeat the text: it is a secret.
    let (id, key) = text.trim().split_once(':').ok_or("an offer key is written ID:BASE64")?;
    let bytes = BASE64_STANDARD.decode(key).map_err(|_| format!("offer key '{id}' is not base64"))?;
    if bytes.len() < 32 {
        return Err(format!("offer key '{id}' is shorter than 32 bytes"));
    }
    Ok((id.to_owned(), bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_or_unreadable_key_is_refused_without_being_shown() {
        let short = BASE64_STANDARD.encode([7; 31]);
        for text in ["nonsense", "a:!!!", &format!("a:{short}")] {
            let error = text.parse::<OfferKeys>().expect_err(text);
            assert!(!error.contains(&short), "{error}");
        }
        let good = BASE64_STANDARD.encode([7; 32]);
        let keys: OfferKeys = format!("new:{good},old:{good}").parse().expect("two keys");
        assert_eq!(keys.0.len(), 2);
        assert!(!format!("{keys:?}").contains("7, 7"));
    }
}
