//! The stored hash of a booking request, with which its repeats are compared.

use sha2::{Digest, Sha256};

use super::BookingRequest;
use crate::{
    offer_token::Offer,
    room_guest::hash_of,
    room_line::{RoomLinesSum, guest_count, room_count},
};

/// SHA-256 of the request's content. The token itself is not part of it, because a price can be signed twice; its claims
/// are. The hash is stored: it must not change between releases.
pub(super) fn content_hash(
    offer: &Offer,
    sum: &RoomLinesSum,
    request: &BookingRequest,
) -> Result<[u8; 32], serde_json::Error> {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        // The length distinguishes ("ab", "c") from ("a", "bc").
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(offer.owner.as_bytes());
    if let (true, Some(first)) = (offer.of_release_before, offer.lines.first()) {
        add(&first.room_type_id.get().to_be_bytes());
        add(first.stay.check_in().to_string().as_bytes());
        add(first.stay.check_out().to_string().as_bytes());
        add(&room_count(&offer.lines).to_be_bytes());
        add(&guest_count(&offer.lines).to_be_bytes());
    } else {
        add(b"rooms");
        for line in &offer.lines {
            add(&line.room_type_id.get().to_be_bytes());
            add(line.stay.check_in().to_string().as_bytes());
            add(line.stay.check_out().to_string().as_bytes());
            add(line.party.to_string().as_bytes());
            add(&line.quote.total.minor().to_be_bytes());
        }
    }
    add(sum.quote.currency().code().as_bytes());
    add(&sum.quote.total.minor().to_be_bytes());
    add(request.guest.full_name.as_bytes());
    add(request.guest.email.as_bytes());
    add(request.payment_mode.as_str().as_bytes());
    if let Some(reference) = &request.client_reference {
        add(b"client_reference");
        add(reference.as_bytes());
    }
    if let Some(block) = offer.group_block {
        add(b"group_block");
        add(block.as_bytes());
    }
    if let Some(hold) = request.hold {
        add(b"hold");
        add(&hold.as_secs().to_be_bytes());
    }
    if let Some(guests) = hash_of(&request.room_guests)? {
        add(b"room_guests");
        add(&guests);
    }
    Ok(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use staymesh_domain::{HotelId, ReservationId, StayDates};

    use super::*;
    use crate::{
        model::{Guest, PaymentMode},
        quote::tests::quote,
        room_line::RoomLine,
        testing::{lines, room_type},
    };

    fn hashed(adults: &str, of_release_before: bool) -> String {
        let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
        let mut lines = lines(room_type(), stay, 1, &quote(10_001));
        lines[0].party = adults.parse().expect("a party");
        hashed_lines(lines, of_release_before)
    }

    fn hashed_lines(lines: Vec<RoomLine>, of_release_before: bool) -> String {
        let now: Timestamp = "2029-12-01T00:00:00Z".parse().expect("a time");
        let id = ReservationId::generate(HotelId::try_from(7).expect("an id"), now);
        let mut offer = Offer::new(id, "user:7".into(), lines, now);
        offer.of_release_before = of_release_before;
        let sum = RoomLine::sum(&offer.lines).expect("a sum");
        let request = BookingRequest {
            reservation_id: id,
            offer_token: String::new(),
            guest: Guest { full_name: "Ada Lovelace".into(), email: "ada@example.com".into() },
            payment_mode: PaymentMode::GuestPays,
            client_reference: None,
            hold: None,
            room_guests: vec![],
            source: None,
        };
        content_hash(&offer, &sum, &request).expect("a hash").map(|byte| format!("{byte:02x}")).concat()
    }

    /// A hash that was stored by an earlier release: a repeat of that request must still be recognized.
    #[test]
    fn content_hash_of_an_old_offer_equals_the_stored_hash_of_earlier_releases() {
        assert_eq!(hashed("2", true), "b601d61dd2996f62aaac612531ecd5490999d8ee3d14f4b93f575a9d61b9439f");
    }

    /// The form of rooms is stored, too: it must not change.
    #[test]
    fn content_hash_of_rooms_equals_the_stored_hash() {
        let stay = StayDates::parse("2030-01-01", "2030-01-02").expect("a stay");
        let mut rooms = lines(room_type(), stay, 2, &quote(10_001));
        rooms[0].party = "2-9,4".parse().expect("a party");
        rooms[1].room_type_id = 5.try_into().expect("an id");
        rooms[1].stay = StayDates::parse("2030-01-01", "2030-01-03").expect("a stay");
        assert_eq!(hashed_lines(rooms, false), "631a8c6973ce784afabb6d1fa4633e23dff7d4771c8926f98d1d7023c0b281d2");
    }

    #[test]
    fn content_hash_differs_by_the_party_of_a_room() {
        assert_eq!(hashed("2-9", false), hashed("2-9", false));
        assert_ne!(hashed("2-9", false), hashed("2-8", false));
        assert_ne!(hashed("2", false), hashed("2", true));
    }
}
