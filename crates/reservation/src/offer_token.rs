//! Signed offers: price, taxes and policy that a guest has seen are the ones that are booked.
//!
//! A token is a JSON Web Token signed with HMAC-SHA256 by keys that only this service has. It is bound to the
//! reservation id and to the caller it was made for, and ends after 15 minutes.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use staymesh_domain::ReservationId;

use crate::{config::OfferKeys, quote::Quote};

/// How long an offer is good.
pub const OFFER_LIFE: SignedDuration = SignedDuration::from_mins(15);
/// Longest token that is looked at, in bytes: 90 nights and 20 taxes stay well below.
const MAX_TOKEN: usize = 32 * 1024;
const AUDIENCE: &str = "staymesh-offer";

/// What an offer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    aud: String,
    exp: i64,
    /// The id that the booking will have.
    pub reservation_id: ReservationId,
    /// The caller it was made for.
    pub owner: String,
    /// The room type.
    pub room_type_id: i32,
    /// The first night.
    pub check_in: jiff::civil::Date,
    /// The day of leaving.
    pub check_out: jiff::civil::Date,
    /// How many rooms.
    pub rooms: i32,
    /// How many guests in all.
    pub guests: i32,
    /// The price.
    pub quote: Quote,
}

/// Why a token is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// It was, and its time is over.
    #[error("the offer has expired; prepare the reservation again")]
    Expired,
    /// It was not made by us, or not for this reservation id and caller.
    #[error("the offer was not made for this reservation and caller")]
    Tampered,
}

impl Offer {
    /// An offer that is good from `now` on.
    #[expect(clippy::too_many_arguments, reason = "each is a claim of the token")]
    pub fn new(
        reservation_id: ReservationId,
        owner: String,
        room_type_id: i32,
        stay: staymesh_domain::StayDates,
        rooms: i32,
        guests: i32,
        quote: Quote,
        now: Timestamp,
    ) -> Self {
        Self {
            aud: AUDIENCE.to_owned(),
            exp: (now + OFFER_LIFE).as_second(),
            reservation_id,
            owner,
            room_type_id,
            check_in: stay.check_in(),
            check_out: stay.check_out(),
            rooms,
            guests,
            quote,
        }
    }

    /// When it ends.
    pub fn expires(&self) -> Timestamp {
        Timestamp::from_second(self.exp).unwrap_or(Timestamp::MIN)
    }

    /// Refuses an offer whose time is over.
    ///
    /// # Errors
    /// [`OfferError::Expired`].
    pub fn require_unexpired(&self, now: Timestamp) -> Result<(), OfferError> {
        if now < self.expires() { Ok(()) } else { Err(OfferError::Expired) }
    }
}

/// Signs and verifies offers.
pub struct OfferSigner {
    signing: (String, EncodingKey),
    verifying: Vec<(String, DecodingKey)>,
    validation: Validation,
}

impl OfferSigner {
    /// Signs with the first of the keys.
    ///
    /// # Panics
    /// When there is no key; [`OfferKeys`] has one at least.
    pub fn new(keys: &OfferKeys) -> Self {
        let (id, key) = &keys.0[0];
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        // Whether it has expired is asked for separately: a repeat of a booking must get its answer even then.
        validation.validate_exp = false;
        Self {
            signing: (id.clone(), EncodingKey::from_secret(key.expose_secret())),
            verifying: keys
                .0
                .iter()
                .map(|(id, key)| (id.clone(), DecodingKey::from_secret(key.expose_secret())))
                .collect(),
            validation,
        }
    }

    /// The token of an offer.
    ///
    /// # Errors
    /// When the library cannot sign, which is a defect.
    pub fn sign(&self, offer: &Offer) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header { kid: Some(self.signing.0.clone()), ..Header::new(Algorithm::HS256) };
        encode(&header, offer, &self.signing.1)
    }

    /// The offer of a token that we signed, expired or not.
    ///
    /// # Errors
    /// [`OfferError::Tampered`].
    pub fn verify(&self, token: &str) -> Result<Offer, OfferError> {
        if token.len() > MAX_TOKEN {
            return Err(OfferError::Tampered);
        }
        let kid = decode_header(token).ok().and_then(|header| header.kid).ok_or(OfferError::Tampered)?;
        let (_, key) = self.verifying.iter().find(|(id, _)| *id == kid).ok_or(OfferError::Tampered)?;
        let data = decode::<Offer>(token, key, &self.validation).map_err(|_| OfferError::Tampered)?;
        Ok(data.claims)
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use staymesh_domain::{HotelId, StayDates};

    use super::*;
    use crate::quote::tests::quote;

    fn signer(ids: &[(&str, u8)]) -> OfferSigner {
        let text: Vec<_> =
            ids.iter().map(|(id, byte)| format!("{id}:{}", BASE64_STANDARD.encode([*byte; 32]))).collect();
        OfferSigner::new(&text.join(",").parse().expect("keys"))
    }

    fn offer() -> Offer {
        let now: Timestamp = "2029-12-01T00:00:00Z".parse().expect("a time");
        let id = ReservationId::generate(HotelId::try_from(7).expect("an id"), now);
        let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
        Offer::new(id, "me".into(), 3, stay, 1, 2, quote(100), now)
    }

    #[test]
    fn what_was_signed_is_what_is_read_also_after_the_key_has_changed() {
        let token = signer(&[("a", 1)]).sign(&offer()).expect("signs");
        let read = signer(&[("b", 2), ("a", 1)]).verify(&token).expect("verifies");
        assert_eq!(read.quote, offer().quote);
    }

    #[test]
    fn a_token_of_another_key_or_with_a_changed_byte_is_refused() {
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
    fn an_offer_ends_after_a_quarter_of_an_hour() {
        let offer = offer();
        let end = offer.expires();
        assert_eq!(offer.require_unexpired(end - SignedDuration::from_secs(1)), Ok(()));
        assert_eq!(offer.require_unexpired(end), Err(OfferError::Expired));
    }
}
