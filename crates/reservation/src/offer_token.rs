//! Offer tokens: signed offers, so that the price, taxes and policy that a guest saw are the ones that are booked.
//!
//! A token is a JSON Web Token (RFC 7519) signed with HMAC-SHA256 by keys that only this service has. It is bound to the
//! reservation id and to the caller it was prepared for, and expires after 15 minutes. A change of a reservation is signed
//! into a token of its own kind, see [`change`], with the same keys.

pub(crate) mod change;
mod claims;

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use staymesh_domain::ReservationId;
use uuid::Uuid;

use crate::{config::OfferKeys, room_line::RoomLine};
use claims::{Claims, SignedClaims};

/// How long an offer can be booked.
pub const OFFER_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// Longest token, in bytes: nine rooms of different types for 90 nights stay well below.
pub const MAX_TOKEN: usize = 64 * 1024;
const AUDIENCE: &str = "staymesh-offer";

/// The claims of an offer token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Claims", into = "SignedClaims")]
pub struct Offer {
    aud: String,
    exp: i64,
    /// The id that the reservation will have.
    pub reservation_id: ReservationId,
    /// Subject of the account it was prepared for.
    pub owner: String,
    /// The rooms, at least one, each with its price.
    pub lines: Vec<RoomLine>,
    /// Whether the release before signed it, for rooms of one type.
    pub(crate) of_release_before: bool,
    /// The group block that it takes its rooms from.
    pub(crate) group_block: Option<Uuid>,
}

/// Why an offer token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It was valid and has expired.
    #[error("the offer has expired; prepare the reservation again")]
    Expired,
    /// It was not signed by this service, or not for this reservation id and caller.
    #[error("the offer was not prepared for this reservation and caller")]
    Tampered,
}

impl Offer {
    /// An offer that can be booked for [`OFFER_LIFE`] from `now` on, but not when the day of arrival of a room has ended at
    /// the hotel.
    pub fn new(reservation_id: ReservationId, owner: String, lines: Vec<RoomLine>, now: Timestamp) -> Self {
        let ends = lines.iter().map(|line| line.quote.terms.cancel_before).chain([now + OFFER_LIFE]);
        let exp = ends.min().unwrap_or(now).as_second();
        Self {
            aud: AUDIENCE.to_owned(),
            exp,
            reservation_id,
            owner,
            lines,
            of_release_before: false,
            group_block: None,
        }
    }

    /// The offer, with its rooms taken from this group block.
    pub(crate) fn out_of(self, group_block: Option<Uuid>) -> Self {
        Self { group_block, ..self }
    }

    /// When it expires.
    ///
    /// # Errors
    /// [`OfferError::Tampered`] when the claim is outside the supported range, which this service does not sign.
    pub fn expires(&self) -> Result<Timestamp, OfferError> {
        Timestamp::from_second(self.exp).map_err(|_| OfferError::Tampered)
    }

    /// Checks that it has not expired.
    ///
    /// # Errors
    /// [`OfferError::Expired`].
    pub fn require_unexpired(&self, now: Timestamp) -> Result<(), OfferError> {
        if now < self.expires()? { Ok(()) } else { Err(OfferError::Expired) }
    }
}

/// Signs and verifies offer tokens.
pub struct OfferSigner {
    signing: (String, EncodingKey),
    verifying: Vec<(String, DecodingKey)>,
}

impl OfferSigner {
    /// Signs with the first key and verifies with all.
    ///
    /// # Panics
    /// When there is no key; a parsed [`OfferKeys`] has at least one.
    pub fn new(keys: &OfferKeys) -> Self {
        let (id, key) = &keys.0[0];
        Self {
            signing: (id.clone(), EncodingKey::from_secret(key.expose_secret())),
            verifying: keys
                .0
                .iter()
                .map(|(id, key)| (id.clone(), DecodingKey::from_secret(key.expose_secret())))
                .collect(),
        }
    }

    /// The token of an offer.
    ///
    /// # Errors
    /// When the claims cannot be serialized, which is a defect.
    pub fn sign(&self, offer: &Offer) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign_claims(offer)
    }

    /// The offer of a token that this service signed, expired or not.
    ///
    /// # Errors
    /// [`OfferError::Tampered`].
    pub fn verify(&self, token: &str) -> Result<Offer, OfferError> {
        self.verify_claims(token, AUDIENCE)
    }

    fn sign_claims(&self, claims: &impl Serialize) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header { kid: Some(self.signing.0.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, claims, &self.signing.1)
    }

    /// The claims of a token for this audience. Expiry is checked separately: a repeated request must get its reservation
    /// even after that.
    fn verify_claims<T: DeserializeOwned>(&self, token: &str, audience: &str) -> Result<T, OfferError> {
        if token.len() > MAX_TOKEN {
            return Err(OfferError::Tampered);
        }
        let kid = decode_header(token).ok().and_then(|header| header.kid).ok_or(OfferError::Tampered)?;
        let (_, key) = self.verifying.iter().find(|(id, _)| *id == kid).ok_or(OfferError::Tampered)?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[audience]);
        validation.validate_exp = false;
        let data = decode::<T>(token, key, &validation).map_err(|_| OfferError::Tampered)?;
        Ok(data.claims)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use staymesh_domain::{HotelId, RoomTypeId, StayDates};

    use super::*;
    use crate::quote::tests::quote;
    use crate::room_status::RoomStatus;

    fn signer(ids: &[(&str, u8)]) -> OfferSigner {
        let text: Vec<_> =
            ids.iter().map(|(id, byte)| format!("{id}:{}", BASE64_STANDARD.encode([*byte; 32]))).collect();
        OfferSigner::new(&text.join(",").parse().expect("keys"))
    }

    fn room(room_type: i32, party: &str, total: i64) -> RoomLine {
        RoomLine {
            room_type_id: RoomTypeId::try_from(room_type).expect("an id"),
            stay: StayDates::parse("2030-01-01", "2030-01-02").expect("a stay"),
            party: party.parse().expect("a party"),
            quote: quote(total),
            status: RoomStatus::Live,
        }
    }

    /// Two rooms of one type with one price, and one of another.
    fn offer() -> Offer {
        let now: Timestamp = "2029-12-01T00:00:00Z".parse().expect("a time");
        let id = ReservationId::generate(HotelId::try_from(7).expect("an id"), now);
        Offer::new(id, "me".into(), vec![room(3, "2-9,4", 100), room(5, "1", 200), room(3, "2", 100)], now)
    }

    #[test]
    fn token_of_previous_key_verifies_after_key_rotation() {
        let token = signer(&[("a", 1)]).sign(&offer()).expect("signs");
        let read = signer(&[("b", 2), ("a", 1)]).verify(&token).expect("verifies");
        assert_eq!(read.lines, offer().lines);
    }

    #[test]
    fn token_of_foreign_key_or_with_any_byte_changed_is_refused() {
        let ours = signer(&[("a", 1)]);
        let theirs = signer(&[("a", 2)]).sign(&offer()).expect("signs");
        assert_eq!(ours.verify(&theirs), Err(OfferError::Tampered));
        let token = ours.sign(&offer()).expect("signs");
        for at in (0..token.len()).step_by(7) {
            let mut bytes = token.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert_eq!(ours.verify(&changed), Err(OfferError::Tampered), "byte {at}");
        }
        assert_eq!(ours.verify(&"A".repeat(MAX_TOKEN + 1)), Err(OfferError::Tampered));
    }

    #[test]
    fn offer_expires_exactly_at_its_end() {
        let offer = offer();
        let end = offer.expires().expect("in range");
        assert_eq!(offer.require_unexpired(end - SignedDuration::from_secs(1)), Ok(()));
        assert_eq!(offer.require_unexpired(end), Err(OfferError::Expired));
    }

    #[test]
    fn offer_expires_at_the_latest_when_the_day_of_arrival_ends() {
        let late: Timestamp = "2030-01-01T23:50:00Z".parse().expect("a time");
        let id = ReservationId::generate(HotelId::try_from(7).expect("an id"), late);
        let offer = Offer::new(id, "me".into(), vec![room(3, "2", 100)], late);
        assert_eq!(offer.expires().expect("in range").to_string(), "2030-01-02T00:00:00Z");
    }

    /// Claims as the release before signed them.
    const OF_RELEASE_BEFORE: &str = concat!(
        r#"{"aud":"staymesh-offer","exp":1890777600,"reservation_id":"ID","owner":"user:7","room_type_id":3,"#,
        r#""check_in":"2030-01-01","check_out":"2030-01-02","rooms":2,"guests":3,"quote":{"currency":"EUR","#,
        r#""nights":[{"date":"2030-01-01","minor":50}],"subtotal_minor":100,"taxes":[],"total_minor":100,"#,
        r#""free_until_hours_before":48,"late_penalty_percent":30}}"#
    );

    #[test]
    fn claims_of_the_release_before_are_as_many_rooms_of_their_type() {
        let claims = OF_RELEASE_BEFORE.replace("ID", &offer().reservation_id.to_string());
        let read: Offer = serde_json::from_str(&claims).expect("reads");
        let shown: Vec<_> = read
            .lines
            .iter()
            .map(|line| (line.room_type_id.get(), line.party.adults(), line.quote.total.minor()))
            .collect();
        assert_eq!(shown, [(3, 2, 50), (3, 1, 50)]);
        assert!(read.of_release_before && !offer().of_release_before);
    }

    /// Claims as this release signs them.
    const CLAIMS: &str = concat!(
        r#"{"aud":"staymesh-offer","exp":1890777600,"reservation_id":"ID","owner":"user:7","rooms":["#,
        r#"{"room_type_id":3,"check_in":"2030-01-01","check_out":"2030-01-02","adults":2,"child_ages":[9],"price":0},"#,
        r#"{"room_type_id":3,"check_in":"2030-01-01","check_out":"2030-01-02","adults":1,"price":0}],"prices":["#,
        r#"{"currency":"EUR","nights":[{"date":"2030-01-01","minor":100}],"subtotal_minor":100,"taxes":[],"#,
        r#""total_minor":100,"free_until_hours_before":48,"late_penalty_percent":30}]}"#
    );

    #[test]
    fn claims_read_and_write_byte_for_byte() {
        let claims = CLAIMS.replace("ID", &offer().reservation_id.to_string());
        let read: Offer = serde_json::from_str(&claims).expect("reads");
        assert_eq!(read.lines.iter().map(|line| line.party.to_string()).collect::<Vec<_>>(), ["2-9", "1"]);
        assert_eq!(serde_json::to_string(&read).expect("writes"), claims);
        let block = Uuid::from_u128(7);
        let of_block = claims.replace("}]}", &format!(r#"}}],"group_block":"{block}"}}"#));
        let read: Offer = serde_json::from_str(&of_block).expect("reads");
        assert_eq!((read.group_block, serde_json::to_string(&read).expect("writes")), (Some(block), of_block));
        let beyond = claims.replace(r#""price":0}]"#, r#""price":1}]"#);
        assert!(serde_json::from_str::<Offer>(&beyond).is_err(), "a room without a price");
    }
}
