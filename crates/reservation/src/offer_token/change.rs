//! Change tokens: signed changes of a reservation, so that the price and the penalty that a guest saw are the ones that
//! apply. Each is based on one revision of one reservation.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use staymesh_domain::ReservationId;

use super::{OFFER_LIFE, OfferError, OfferSigner};
use crate::rooms_change::{ChangeRecord, RoomsChange};

const AUDIENCE: &str = "staymesh-change";

/// The claims of a change token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ChangeClaims {
    aud: String,
    exp: i64,
    reservation_id: ReservationId,
    /// Subject of the account that it was quoted for.
    caller: String,
    /// The revision of the reservation that it is based on.
    revision: i32,
    change: ChangeRecord,
}

/// A quoted change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuotedChange {
    pub(crate) reservation_id: ReservationId,
    /// Subject of the account that it was quoted for.
    pub(crate) caller: String,
    /// The revision of the reservation that it is based on.
    pub(crate) revision: i32,
    pub(crate) change: RoomsChange,
    /// When it expires, in whole seconds.
    pub(crate) expires: Timestamp,
}

impl QuotedChange {
    /// When a change that is quoted at `now` expires: after 15 minutes, or with the first of `ends`.
    pub(crate) fn expiry(now: Timestamp, ends: impl IntoIterator<Item = Timestamp>) -> Timestamp {
        let end = ends.into_iter().chain([now + OFFER_LIFE]).min().unwrap_or(now);
        // Never later than it is signed.
        end - SignedDuration::from_nanos(end.subsec_nanosecond().into())
    }

    /// Checks that it has not expired.
    ///
    /// # Errors
    /// [`OfferError::Expired`].
    pub(crate) fn require_unexpired(&self, now: Timestamp) -> Result<(), OfferError> {
        if now < self.expires { Ok(()) } else { Err(OfferError::Expired) }
    }
}

impl OfferSigner {
    /// The token of a change.
    ///
    /// # Errors
    /// When the claims cannot be serialized, which is a defect.
    pub(crate) fn sign_change(&self, quoted: &QuotedChange) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign_claims(&ChangeClaims {
            aud: AUDIENCE.to_owned(),
            exp: quoted.expires.as_second(),
            reservation_id: quoted.reservation_id,
            caller: quoted.caller.clone(),
            revision: quoted.revision,
            change: ChangeRecord::from(&quoted.change),
        })
    }

    /// The change of a token that this service signed, expired or not.
    ///
    /// # Errors
    /// [`OfferError::Tampered`].
    pub(crate) fn verify_change(&self, token: &str) -> Result<QuotedChange, OfferError> {
        let claims: ChangeClaims = self.verify_claims(token, AUDIENCE)?;
        Ok(QuotedChange {
            reservation_id: claims.reservation_id,
            caller: claims.caller,
            revision: claims.revision,
            change: claims.change.try_into().map_err(|_| OfferError::Tampered)?,
            expires: Timestamp::from_second(claims.exp).map_err(|_| OfferError::Tampered)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};
    use staymesh_domain::HotelId;

    use super::*;
    use crate::{offer_token::Offer, quote::tests::euros, rooms_change::PlacedRoom, testing::order_of_rooms};

    fn signer() -> OfferSigner {
        OfferSigner::new(&format!("a:{}", BASE64_STANDARD.encode([1; 32])).parse().expect("keys"))
    }

    fn quoted() -> QuotedChange {
        let now: Timestamp = "2029-12-01T00:00:00.5Z".parse().expect("a time");
        let line = order_of_rooms(1, now).lines.remove(0);
        let rooms = vec![PlacedRoom { position: 3, line }];
        let change = RoomsChange { kept: vec![1], rooms, penalty: euros(5), balance: euros(-7) };
        QuotedChange {
            reservation_id: ReservationId::generate(HotelId::try_from(7).expect("an id"), now),
            caller: "user:7".into(),
            revision: 4,
            change,
            expires: QuotedChange::expiry(now, []),
        }
    }

    #[test]
    fn change_token_reads_as_it_was_signed() {
        let quoted = quoted();
        let token = signer().sign_change(&quoted).expect("signs");
        assert_eq!(signer().verify_change(&token), Ok(quoted));
    }

    #[test]
    fn change_token_is_no_offer_token_and_an_offer_token_no_change_token() {
        let change = signer().sign_change(&quoted()).expect("signs");
        assert_eq!(signer().verify(&change), Err(OfferError::Tampered));
        let QuotedChange { reservation_id, change, expires, .. } = quoted();
        let offer = Offer::new(reservation_id, "user:7".into(), vec![change.rooms[0].line.clone()], expires);
        let offer = signer().sign(&offer).expect("signs");
        assert_eq!(signer().verify_change(&offer), Err(OfferError::Tampered));
    }

    #[test]
    fn change_token_expires_after_fifteen_minutes_or_with_the_first_end() {
        let quoted = quoted();
        assert_eq!(quoted.expires.to_string(), "2029-12-01T00:15:00Z");
        assert_eq!(quoted.require_unexpired(quoted.expires), Err(OfferError::Expired));
        assert_eq!(quoted.require_unexpired(quoted.expires - SignedDuration::from_secs(1)), Ok(()));
        let end = "2029-12-01T00:01:00Z".parse().expect("a time");
        assert_eq!(QuotedChange::expiry(quoted.expires, [end]), end);
    }
}
