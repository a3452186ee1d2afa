//! Configuration of the reservation service, from flags and environment variables.

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use clap::Args;
use secrecy::SecretSlice;
use staymesh_domain::ClientId;
use staymesh_mail::MailConfig;
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
    #[command(flatten)]
    #[expect(missing_docs)]
    pub mail: MailConfig,
    /// Base URL of the hotel service.
    #[arg(long, env = "STAYMESH_HOTEL_URL")]
    pub hotel_url: String,
    /// Base URL of the rate service.
    #[arg(long, env = "STAYMESH_RATE_URL")]
    pub rate_url: String,
    /// Base URL of the payment service.
    #[arg(long, env = "STAYMESH_PAYMENT_URL")]
    pub payment_url: String,
    /// Keys of offer tokens: `ID:BASE64[,ID:BASE64…]`, each of 32 bytes or more. The first signs; all verify.
    #[arg(long, env = "STAYMESH_OFFER_KEYS", hide_env_values = true)]
    pub offer_keys: OfferKeys,
    /// How long an unpaid reservation holds its rooms.
    #[arg(long, env = "STAYMESH_HOLD", default_value = "15m", value_parser = parse_duration)]
    pub hold: Duration,
    /// Most room nights (rooms times nights) that a guest may hold unpaid before the e-mail address of the account is
    /// confirmed, in all reservations together; 0 is no limit.
    #[arg(long, env = "STAYMESH_UNCONFIRMED_UNPAID_ROOM_NIGHTS", default_value_t = 30)]
    pub unconfirmed_unpaid_room_nights: u32,
    /// Most room nights that a guest with a confirmed e-mail address may hold unpaid; 0 is no limit. The default is ten
    /// rooms for three weeks.
    #[arg(long, env = "STAYMESH_GUEST_UNPAID_ROOM_NIGHTS", default_value_t = 210)]
    pub guest_unpaid_room_nights: u32,
    /// Most room nights that a partner's client may hold unpaid, for guests who pay and in sales that the payment service has
    /// not decided yet; 0 is no limit.
    #[arg(long, env = "STAYMESH_PARTNER_UNPAID_ROOM_NIGHTS", default_value_t = 5000)]
    pub partner_unpaid_room_nights: u32,
    /// Most room nights that all guests behind one source address may hold unpaid; 0 is no limit. Many guests may share an
    /// IPv4 address; of an IPv6 address the first 64 bits count.
    #[arg(long, env = "STAYMESH_SOURCE_UNPAID_ROOM_NIGHTS", default_value_t = 500)]
    pub source_unpaid_room_nights: u32,
    /// Most of the rooms of a night that may be held unpaid, 1 to 100 percent of those on sale; 0 is no limit.
    #[arg(long, env = "STAYMESH_UNPAID_SHARE", default_value_t = 50, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub unpaid_share: u8,
    /// Partners that may choose how long their rooms are held unpaid, up to a day: `CLIENT_ID=ROOM_NIGHTS[,…]`, each with the
    /// most room nights that it may hold unpaid when it does. Empty for none.
    #[arg(long, env = "STAYMESH_LONG_HOLDS", default_value = "")]
    pub long_holds: LongHolds,
    /// Lanes of the booking writer, 1 to 256. Each writes the bookings of a subset of hotels, one transaction at a time.
    #[arg(long, env = "STAYMESH_WRITER_LANES", default_value_t = 4)]
    pub writer_lanes: usize,
}

/// Keys of offer tokens by id, newest first; at least one.
#[derive(Clone, Debug)]
pub struct OfferKeys(pub(crate) Vec<(String, SecretSlice<u8>)>);

impl FromStr for OfferKeys {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let keys = text.split(',').map(parse_key).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(keys))
    }
}

/// The partners that may choose how long their rooms are held, with the most room nights that each may hold then, by the
/// subject of the account.
#[derive(Clone, Debug, Default)]
pub struct LongHolds(BTreeMap<String, i64>);

impl LongHolds {
    /// Most room nights that the account may hold unpaid; `None` if it may not choose how long.
    pub(crate) fn quota(&self, subject: &str) -> Option<i64> {
        self.0.get(subject).copied()
    }
}

impl FromStr for LongHolds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let entry = |text: &str| {
            let failed = || format!("'{text}' is not CLIENT_ID=ROOM_NIGHTS");
            let (client, room_nights) = text.trim().split_once('=').ok_or_else(failed)?;
            let client: ClientId = client.parse().map_err(|_| failed())?;
            let quota: u32 = room_nights.parse().map_err(|_| failed())?;
            Ok((client.subject(), i64::from(quota)))
        };
        let entries = text.split(',').filter(|text| !text.trim().is_empty());
        Ok(Self(entries.map(entry).collect::<Result<_, String>>()?))
    }
}

fn parse_key(text: &str) -> Result<(String, SecretSlice<u8>), String> {
    // The messages must not contain the text: it is a secret.
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
    fn long_holds_are_read_by_client_and_a_wrong_entry_is_named() {
        let holds: LongHolds = "acme=500, tours=0,".parse().expect("two partners");
        assert_eq!(["client:acme", "client:tours", "client:x"].map(|who| holds.quota(who)), [Some(500), Some(0), None]);
        assert!("".parse::<LongHolds>().expect("none").0.is_empty());
        for text in ["acme", "acme=", "acme=-1", "=5", "a b=5"] {
            assert!(text.parse::<LongHolds>().expect_err(text).contains(text.trim()));
        }
    }

    #[test]
    fn short_or_malformed_key_is_refused_without_being_printed() {
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
