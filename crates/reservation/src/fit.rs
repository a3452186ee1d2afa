//! Whether parties fit their rooms, and the refusal when they do not.

use staymesh_domain::{ChildRules, Misfit, Occupancy, Party};
use staymesh_mesh::{Problem, Reason};

/// A rule of the hotel or of the room type that the party of one room breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("room {room}: {misfit}")]
pub struct RoomMisfit {
    /// The room, by its place in the request, from 0.
    pub room: i32,
    /// The rule.
    pub misfit: Misfit,
}

impl RoomMisfit {
    /// The reason of the refusal, what the party has, and the limit that it breaks.
    pub(crate) const fn parts(self) -> (Reason, i32, i32) {
        match self.misfit {
            Misfit::ChildTooYoung { age, min_child_age } => (Reason::ChildTooYoung, age, min_child_age),
            Misfit::TooManyAdults { adults, max_adults } => (Reason::TooManyAdults, adults, max_adults),
            Misfit::TooManyChildren { children, places } => (Reason::TooManyChildren, children, places),
            Misfit::TooManyGuests { guests, max_occupancy } => (Reason::TooManyGuests, guests, max_occupancy),
        }
    }
}

impl From<RoomMisfit> for Problem {
    fn from(error: RoomMisfit) -> Self {
        let (reason, actual, limit) = error.parts();
        let (what, limited) = match error.misfit {
            Misfit::ChildTooYoung { .. } => ("age", "min_child_age"),
            Misfit::TooManyAdults { .. } => ("adults", "max_adults"),
            Misfit::TooManyChildren { .. } => ("children", "places"),
            Misfit::TooManyGuests { .. } => ("guests", "max_occupancy"),
        };
        Self::new(reason, error.to_string()).with("room", error.room).with(what, actual).with(limited, limit)
    }
}

/// Every rule that a party breaks, in the order of the rooms; empty if all fit.
pub(crate) fn misfits<'a>(
    rules: &ChildRules,
    rooms: impl IntoIterator<Item = (&'a Occupancy, &'a Party)>,
) -> Vec<RoomMisfit> {
    let of_room = |(room, (occupancy, party)): (i32, (&Occupancy, &Party))| {
        rules.misfits(occupancy, party).into_iter().map(move |misfit| RoomMisfit { room, misfit })
    };
    (0..).zip(rooms).flat_map(of_room).collect()
}

/// Checks that every party fits its room.
///
/// # Errors
/// The first rule that a party breaks.
pub(crate) fn require_fit<'a>(
    rules: &ChildRules,
    rooms: impl IntoIterator<Item = (&'a Occupancy, &'a Party)>,
) -> Result<(), RoomMisfit> {
    misfits(rules, rooms).into_iter().next().map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tonic_types::StatusExt;

    use super::*;

    #[test]
    fn misfits_name_the_room_and_the_first_is_the_refusal() {
        let (double, parties) =
            (Occupancy::of_adults(2), ["2", "3", "2-1"].map(|party| party.parse::<Party>().unwrap()));
        let rules = ChildRules { min_child_age: 6, ..ChildRules::default() };
        let rooms = || parties.iter().map(|party| (&double, party));
        let rooms_and_reasons: Vec<_> =
            misfits(&rules, rooms()).into_iter().map(|misfit| (misfit.room, misfit.parts().0.as_str())).collect();
        let expected = [
            (1, "TOO_MANY_ADULTS"),
            (1, "TOO_MANY_GUESTS"),
            (2, "CHILD_TOO_YOUNG"),
            (2, "TOO_MANY_ADULTS"),
            (2, "TOO_MANY_GUESTS"),
        ];
        assert_eq!(rooms_and_reasons, expected);
        let refused = require_fit(&rules, rooms()).unwrap_err();
        assert_eq!(refused.to_string(), "room 1: 3 adults, but the room sleeps 2");
        assert_eq!(Problem::from(refused).reason(), Reason::TooManyAdults);
        assert_eq!(require_fit(&rules, rooms().take(1)), Ok(()));
    }
    #[rstest]
    #[case(Misfit::ChildTooYoung { age: 5, min_child_age: 6 }, "CHILD_TOO_YOUNG", ["age", "min_child_age"])]
    #[case(Misfit::TooManyAdults { adults: 5, max_adults: 6 }, "TOO_MANY_ADULTS", ["adults", "max_adults"])]
    #[case(Misfit::TooManyChildren { children: 5, places: 6 }, "TOO_MANY_CHILDREN", ["children", "places"])]
    #[case(Misfit::TooManyGuests { guests: 5, max_occupancy: 6 }, "TOO_MANY_GUESTS", ["guests", "max_occupancy"])]
    fn refusal_names_the_room_the_number_and_its_limit(
        #[case] misfit: Misfit,
        #[case] reason: &str,
        #[case] names: [&str; 2],
    ) {
        let status = tonic::Status::from(Problem::from(RoomMisfit { room: 1, misfit }));
        assert_eq!(status.code(), tonic::Code::FailedPrecondition);
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.reason, reason);
        let told = ["room", names[0], names[1]].map(|name| info.metadata.get(name).map(String::as_str));
        assert_eq!(told, [Some("1"), Some("5"), Some("6")]);
    }
}
