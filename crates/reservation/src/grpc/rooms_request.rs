//! Parses the rooms of an order form. Every invalid field is reported, not only the first.

use jiff::Timestamp;
use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{FieldErrors, HotelId, Parties, Party, RoomTypeId, StayDates, StayDatesError, parse_date};
use staymesh_mesh::auth::Role;

use super::{group_blocks::code_of, request::stay};
use crate::{
    group_block::GroupBlockKey,
    service::{RoomRequest, RoomsRequest},
};

/// Most rooms of one booking by a guest; more is a group.
pub(super) const MAX_ROOMS_OF_GUESTS: usize = 9;
/// Most rooms of one booking by a partner or staff.
pub(super) const MAX_ROOMS_OF_PARTNERS: usize = Parties::MAX;

/// Parses the rooms of an order form. Each has the dates of the request unless it has its own.
pub(super) fn rooms_request(
    errors: &mut FieldErrors,
    message: &proto::PrepareReservationRequest,
    role: Role,
    now: Timestamp,
) -> Option<RoomsRequest> {
    let hotel_id = errors.value(HotelId::try_from(message.hotel_id));
    let stay = stay(errors, (&message.check_in, &message.check_out), now);
    let most = if role == Role::Guest { MAX_ROOMS_OF_GUESTS } else { MAX_ROOMS_OF_PARTNERS };
    let count = message.rooms.len();
    errors.holds((1..=most).contains(&count), "rooms", format!("must be 1 to {most} entries, not {count}"));
    let rooms = message.rooms.iter().enumerate().take(most);
    let rooms: Vec<_> = rooms.map(|(at, room)| room_request(errors, &format!("rooms[{at}]"), room, stay)).collect();
    let rooms: Vec<RoomRequest> = rooms.into_iter().collect::<Option<_>>()?;
    if count > 0 {
        // The guests of all rooms together are limited, too.
        let parties = Parties::new(rooms.iter().map(|room| room.party.clone()).collect());
        errors.value(parties.map_err(|error| error.at("rooms")))?;
    }
    let group_block = match message.group_block_code.as_str() {
        "" => None,
        code => Some(GroupBlockKey::Code(code_of(errors, "group_block_code", code)?)),
    };
    Some(RoomsRequest { hotel_id: hotel_id?, stay: stay?, rooms, group_block })
}

/// Parses one room, whose field is `at`, of a booking for `stay`.
fn room_request(
    errors: &mut FieldErrors,
    at: &str,
    room: &proto::RoomRequest,
    stay: Option<StayDates>,
) -> Option<RoomRequest> {
    let room_type_id = RoomTypeId::try_from(room.room_type_id).map_err(|error| error.at(format!("{at}.room_type_id")));
    let room_type_id = errors.value(room_type_id);
    let party = Party::new(room.adults, room.child_ages.clone());
    let party = party.map_err(|wrong| errors.extend_under(at, wrong)).ok();
    let stay = room_stay(errors, at, room, stay);
    Some(RoomRequest { room_type_id: room_type_id?, stay: stay?, party: party? })
}

/// The dates of a room: its own, which must be within those of the booking, or those of the booking. When those of the booking
/// are invalid, its own are judged by their form alone.
fn room_stay(
    errors: &mut FieldErrors,
    at: &str,
    room: &proto::RoomRequest,
    whole: Option<StayDates>,
) -> Option<StayDates> {
    let mut own = FieldErrors::default();
    let Some(whole) = whole else {
        let parse = |date: &Option<String>| date.as_deref().map(parse_date).transpose();
        own.value(parse(&room.check_in).map_err(StayDatesError::CheckIn));
        own.value(parse(&room.check_out).map_err(StayDatesError::CheckOut));
        errors.extend_under(at, own);
        return None;
    };
    let (check_in, check_out) = (whole.check_in().to_string(), whole.check_out().to_string());
    let check_in = room.check_in.as_ref().unwrap_or(&check_in);
    let check_out = room.check_out.as_ref().unwrap_or(&check_out);
    let stay = StayDates::collect(&mut own, check_in, check_out);
    if let Some(stay) = stay {
        own.holds(stay.check_in() >= whole.check_in(), "check_in", "must not be before check_in of the request");
        own.holds(stay.check_out() <= whole.check_out(), "check_out", "must not be after check_out of the request");
    }
    own.complete(stay).map_err(|wrong| errors.extend_under(at, wrong)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(rooms: Vec<proto::RoomRequest>) -> proto::PrepareReservationRequest {
        let (check_in, check_out) = ("2030-01-01".to_owned(), "2030-01-04".to_owned());
        proto::PrepareReservationRequest { hotel_id: 7, check_in, check_out, rooms, group_block_code: String::new() }
    }

    fn parsed(message: &proto::PrepareReservationRequest, role: Role) -> Result<RoomsRequest, Vec<String>> {
        let mut errors = FieldErrors::default();
        let now = "2029-06-01T12:00:00Z".parse().expect("a time");
        let request = rooms_request(&mut errors, message, role, now);
        errors.complete(request).map_err(|errors| errors.into_iter().map(|error| error.field).collect())
    }

    fn room(adults: i32, dates: [Option<&str>; 2]) -> proto::RoomRequest {
        let [check_in, check_out] = dates.map(|date| date.map(str::to_owned));
        proto::RoomRequest { room_type_id: 3, adults, child_ages: vec![], check_in, check_out }
    }

    /// PARTNER-SPEC 7, rule 6: up to 9 rooms for guests, 50 for partners, each with the dates of the booking or its own.
    #[test]
    fn rooms_have_the_dates_of_the_booking_or_their_own_and_are_limited_by_role() {
        let own = [Some("2030-01-02"), None];
        let request = parsed(&wish(vec![room(2, [None, None]), room(1, own)]), Role::Guest).expect("two rooms");
        let nights: Vec<_> = request.rooms.iter().map(|room| room.stay.night_count()).collect();
        assert_eq!(nights, [3, 2]);
        for (role, most) in [(Role::Guest, 9), (Role::Partner, 50)] {
            assert_eq!(parsed(&wish(vec![room(1, [None, None]); most]), role).map(|r| r.rooms.len()), Ok(most));
            assert_eq!(parsed(&wish(vec![room(1, [None, None]); most + 1]), role), Err(vec!["rooms".to_owned()]));
        }
        assert_eq!(parsed(&wish(vec![]), Role::Partner), Err(vec!["rooms".to_owned()]));
    }

    #[test]
    fn dates_of_a_room_are_judged_when_those_of_the_booking_are_invalid() {
        let message = wish(vec![room(1, [Some("tomorrow"), None]), room(1, [Some("2030-01-02"), Some("2030-02-30")])]);
        let refused = parsed(&proto::PrepareReservationRequest { check_in: "x".into(), ..message }, Role::Guest);
        assert_eq!(refused, Err(["check_in", "rooms[0].check_in", "rooms[1].check_out"].map(str::to_owned).to_vec()));
    }

    #[test]
    fn every_wrong_field_of_every_room_is_named() {
        let mut second = room(0, [Some("2029-12-31"), Some("2030-01-05")]);
        second.child_ages = vec![4, 18];
        second.room_type_id = 0;
        let third = room(1, [Some("2030-01-03"), Some("2030-01-03")]);
        let refused = parsed(&wish(vec![room(1, [None, None]), second, third]), Role::Guest).expect_err("refused");
        let expected = [
            "rooms[1].room_type_id",
            "rooms[1].adults",
            "rooms[1].child_ages[1]",
            "rooms[1].check_in",
            "rooms[1].check_out",
            "rooms[2].check_out",
        ];
        assert_eq!(refused, expected);
    }
}
