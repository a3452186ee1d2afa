//! The caller of a request.

use staymesh_api::options::v1::Role;
use tonic::Request;

use super::claims::{Claims, role_of};
use crate::errors::{Problem, Reason};

/// Whoever makes a call, as the token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account's UUID, or `client:` and the client id: what owns a reservation.
    pub subject: String,
    /// What the caller is.
    pub role: Role,
    /// The hotels that a staff account works for.
    pub hotel_ids: Vec<i32>,
    /// The login or client that the token belongs to.
    pub session: String,
}

impl Caller {
    /// The caller of a request; none when the call was anonymous.
    pub fn of<T>(request: &Request<T>) -> Option<&Self> {
        request.extensions().get()
    }

    /// The caller of a request to a method that is not open to everybody.
    ///
    /// # Errors
    /// UNAUTHENTICATED when there is none.
    pub fn required<T>(request: &Request<T>) -> Result<Self, Problem> {
        Self::of(request).cloned().ok_or_else(unauthenticated)
    }

    /// Whether the caller may change or see the inside of a hotel: its staff, and administrators.
    pub fn works_for(&self, hotel_id: i32) -> bool {
        match self.role {
            Role::Admin => true,
            Role::Staff => self.hotel_ids.contains(&hotel_id),
            _ => false,
        }
    }

    /// Refuses a caller who does not work for the hotel.
    ///
    /// # Errors
    /// `ACCESS_DENIED`.
    pub fn require_hotel(&self, hotel_id: i32) -> Result<(), Problem> {
        if self.works_for(hotel_id) {
            return Ok(());
        }
        Err(Problem::new(Reason::AccessDenied, "the caller does not work for this hotel").with("hotel_id", hotel_id))
    }

    pub(super) fn from_claims(claims: Claims) -> Option<Self> {
        Some(Self {
            role: role_of(&claims.role)?,
            subject: claims.sub,
            hotel_ids: claims.hotel_ids,
            session: claims.sid,
        })
    }
}

/// The answer to a call that needs a token and has none.
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
    fn only_staff_of_the_hotel_and_admins_work_for_it(
        #[case] role: Role,
        #[case] hotel_ids: &[i32],
        #[case] expected: bool,
    ) {
        let caller = Caller { subject: "s".into(), role, hotel_ids: hotel_ids.to_vec(), session: "x".into() };
        assert_eq!(caller.works_for(7), expected);
        assert_eq!(caller.require_hotel(7).is_ok(), expected);
    }
}
