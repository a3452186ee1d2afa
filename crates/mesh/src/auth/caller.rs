//! The caller of a request.

use staymesh_api::options::v1::Role;
use staymesh_domain::HotelId;
use tonic::Request;

use super::claims::{Claims, role_of};
use crate::errors::{Problem, Reason};

/// The caller of a request: the account or OAuth 2.0 client that its access token was issued to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The `sub` of the token: an account's UUID, or `client:` and the client id. Identifies the owner of a reservation.
    pub subject: String,
    /// The role of the account or client.
    pub role: Role,
    /// The hotels that a staff account works for; empty for other roles.
    pub hotel_ids: Vec<HotelId>,
    /// Whether the owner of the account has confirmed its e-mail address; `false` for clients.
    pub email_verified: bool,
    /// The `sid` of the token: the login or client it belongs to, for revocation.
    pub session: String,
}

impl Caller {
    /// The caller of a request; `None` if the call is anonymous.
    pub fn of<T>(request: &Request<T>) -> Option<&Self> {
        request.extensions().get()
    }

    /// The caller of a request to a method that needs a token.
    ///
    /// # Errors
    /// `UNAUTHENTICATED` if the call is anonymous.
    pub fn required<T>(request: &Request<T>) -> Result<Self, Problem> {
        Self::of(request).cloned().ok_or_else(unauthenticated)
    }

    /// Whether the caller may read and change internal data of a hotel: its staff and administrators.
    pub fn works_for(&self, hotel_id: HotelId) -> bool {
        match self.role {
            Role::Admin => true,
            Role::Staff => self.hotel_ids.contains(&hotel_id),
            _ => false,
        }
    }

    /// Requires that the caller [works for](Self::works_for) the hotel.
    ///
    /// # Errors
    /// `ACCESS_DENIED`.
    pub fn require_hotel(&self, hotel_id: HotelId) -> Result<(), Problem> {
        if self.works_for(hotel_id) { Ok(()) } else { Err(denied(hotel_id.get())) }
    }

    /// As [`Self::require_hotel`], for the `hotel_id` of a request that is not validated yet: authorization comes first.
    ///
    /// An invalid id is refused like the id of another hotel, so staff cannot probe the validation. Administrators pass,
    /// and validation then reports the field.
    ///
    /// # Errors
    /// `ACCESS_DENIED`.
    pub fn require_hotel_field(&self, hotel_id: i32) -> Result<(), Problem> {
        let allowed = match HotelId::try_from(hotel_id) {
            Ok(id) => self.works_for(id),
            Err(_) => self.role == Role::Admin,
        };
        if allowed { Ok(()) } else { Err(denied(hotel_id)) }
    }

    /// `None` if the claims name an unknown role or an invalid hotel id.
    pub(super) fn from_claims(claims: Claims) -> Option<Self> {
        Some(Self {
            role: role_of(&claims.role)?,
            subject: claims.sub,
            hotel_ids: claims.hotel_ids.into_iter().map(HotelId::try_from).collect::<Result<_, _>>().ok()?,
            email_verified: claims.email_verified,
            session: claims.sid,
        })
    }
}

fn denied(hotel_id: i32) -> Problem {
    Problem::new(Reason::AccessDenied, "the caller does not work for this hotel").with("hotel_id", hotel_id)
}

/// The error of a call that needs a token and has none, or an invalid one.
pub(crate) fn unauthenticated() -> Problem {
    Problem::new(Reason::Unauthenticated, "send a valid access token as 'authorization: Bearer TOKEN'")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(Role::Admin, &[], true)]
    #[case(Role::Staff, &[7], true)]
    #[case(Role::Staff, &[8], false)]
    #[case(Role::Guest, &[7], false)]
    #[case(Role::Partner, &[7], false)]
    #[case(Role::Service, &[7], false)]
    fn works_for_allows_staff_of_the_hotel_and_admins_only(
        #[case] role: Role,
        #[case] hotel_ids: &[i32],
        #[case] expected: bool,
    ) {
        let hotel = |id| HotelId::try_from(id).unwrap();
        let hotel_ids = hotel_ids.iter().map(|id| hotel(*id)).collect();
        let caller = Caller { subject: "s".into(), role, hotel_ids, email_verified: false, session: "x".into() };
        assert_eq!(caller.works_for(hotel(7)), expected);
        assert_eq!(caller.require_hotel(hotel(7)).is_ok(), expected);
        assert_eq!(caller.require_hotel_field(7).is_ok(), expected);
        assert_eq!(caller.require_hotel_field(0).is_ok(), role == Role::Admin);
    }
}
