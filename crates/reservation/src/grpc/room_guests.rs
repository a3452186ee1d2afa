//! Guests of rooms: proto to domain, and back.

use staymesh_api::reservation::v1 as proto;
use staymesh_domain::{
    DateError, FieldError, FieldErrors, Text, TextError, format_date, has_card_number, parse_date, parse_local_time,
};

use crate::room_guest::{Beds, RoomGuest};

/// Most rooms of a reservation.
const MAX_ROOMS: usize = 50;

/// Parses the guests of rooms, each `None` if nothing is said; every invalid field is named.
pub(super) fn room_guests(errors: &mut FieldErrors, guests: &[proto::RoomGuest]) -> Option<Vec<Option<RoomGuest>>> {
    errors.holds(guests.len() <= MAX_ROOMS, "room_guests", format!("must be at most {MAX_ROOMS}"));
    let guests = guests.iter().enumerate().take(MAX_ROOMS);
    let guests: Vec<_> = guests.map(|(at, guest)| room_guest(errors, &format!("room_guests[{at}]"), guest)).collect();
    guests.into_iter().map(|guest| guest.map(RoomGuest::said)).collect()
}

fn room_guest(errors: &mut FieldErrors, at: &str, guest: &proto::RoomGuest) -> Option<RoomGuest> {
    let mut text = |field: &str, parsed: Result<Text, TextError>| {
        let field = format!("{at}.{field}");
        let text = errors.value(parsed.map_err(|error| error.at(&field)))?;
        // Also in digits of other widths.
        if has_card_number(&text.key()) {
            errors.push(FieldError::new(field, "must not contain the number of a payment card"));
            return None;
        }
        Some(text.into_string())
    };
    let given_name = text("given_name", Text::line(&guest.given_name, 0..=100));
    let family_name = text("family_name", Text::line(&guest.family_name, 0..=100));
    let special_request = text("special_request", Text::prose(&guest.special_request, 0..=500));
    let loyalty_id = text("loyalty_id", Text::line(&guest.loyalty_id, 0..=50));
    errors.holds(is_phone(&guest.phone), format!("{at}.phone"), "must be a telephone number of at most 15 digits");
    let time = &guest.arrival_time;
    if !time.is_empty() {
        let parsed = parse_local_time(time);
        errors.value(parsed.map_err(|error| FieldError::new(format!("{at}.arrival_time"), error.to_string())));
    }
    let timed = !guest.arrives_after_midnight || !time.is_empty();
    errors.holds(timed, format!("{at}.arrives_after_midnight"), "needs arrival_time");
    let late = Some(&guest.late_arrival_until).filter(|date| !date.is_empty());
    let invalid = |error: DateError| FieldError::new(format!("{at}.late_arrival_until"), error.to_string());
    let late = late.map(|date| parse_date(date).map_err(invalid));
    let late_arrival_until = errors.value(late.transpose());
    let beds = match proto::BedPreference::try_from(guest.bed_preference) {
        Ok(proto::BedPreference::Unspecified) => None,
        Ok(proto::BedPreference::Double) => Some(Beds::Double),
        Ok(proto::BedPreference::Twin) => Some(Beds::Twin),
        Err(_) => {
            errors.push(FieldError::new(format!("{at}.bed_preference"), "is not a known value"));
            None
        }
    };
    let smoking = match proto::SmokingPreference::try_from(guest.smoking_preference) {
        Ok(proto::SmokingPreference::Unspecified) => None,
        Ok(proto::SmokingPreference::NonSmoking) => Some(false),
        Ok(proto::SmokingPreference::Smoking) => Some(true),
        Err(_) => {
            errors.push(FieldError::new(format!("{at}.smoking_preference"), "is not a known value"));
            None
        }
    };
    Some(RoomGuest {
        given_name: given_name?,
        family_name: family_name?,
        arrival_time: time.clone(),
        arrives_after_midnight: guest.arrives_after_midnight,
        late_arrival_until: late_arrival_until?,
        beds,
        smoking,
        special_request: special_request?,
        loyalty_id: loyalty_id?,
        phone: guest.phone.clone(),
    })
}

/// Whether a text is empty or a telephone number. Without `+` it is shorter than the number of a card.
fn is_phone(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let (most, number) = text.strip_prefix('+').map_or((12, text), |number| (15, number));
    let grouped = number.bytes().all(|byte| byte.is_ascii_digit() || b" -./()".contains(&byte));
    text.is_empty() || (grouped && (3..=most).contains(&digits) && text.len() <= 30)
}

/// A guest of a room as it is returned.
pub(super) fn shown(guest: RoomGuest) -> proto::RoomGuest {
    let beds = match guest.beds {
        None => proto::BedPreference::Unspecified,
        Some(Beds::Double) => proto::BedPreference::Double,
        Some(Beds::Twin) => proto::BedPreference::Twin,
    };
    let smoking = match guest.smoking {
        None => proto::SmokingPreference::Unspecified,
        Some(false) => proto::SmokingPreference::NonSmoking,
        Some(true) => proto::SmokingPreference::Smoking,
    };
    proto::RoomGuest {
        given_name: guest.given_name,
        family_name: guest.family_name,
        arrival_time: guest.arrival_time,
        arrives_after_midnight: guest.arrives_after_midnight,
        bed_preference: beds.into(),
        smoking_preference: smoking.into(),
        special_request: guest.special_request,
        loyalty_id: guest.loyalty_id,
        phone: guest.phone,
        late_arrival_until: guest.late_arrival_until.map(format_date).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(guest: proto::RoomGuest) -> Result<Option<RoomGuest>, Vec<String>> {
        let mut errors = FieldErrors::default();
        let read = room_guests(&mut errors, &[guest]);
        let fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
        if fields.is_empty() { Ok(read.expect("read").remove(0)) } else { Err(fields) }
    }

    #[test]
    fn phone_is_short_and_never_the_number_of_a_card() {
        for good in ["", "+351 912 345 678", "(030) 123-456/7", "112", "+1234567890123456"[..16].as_ref()] {
            assert!(is_phone(good), "{good}");
        }
        for bad in ["4242 4242 4242 4242", "378282246310005", "12", "+12", "tel 112233", "+1234567890123456", "１１２"]
        {
            assert!(!is_phone(bad), "{bad}");
        }
    }

    #[test]
    fn guest_is_read_and_shown_as_it_was_written() {
        let guest = proto::RoomGuest {
            phone: "+351 912 345 678".into(),
            given_name: "A".into(),
            family_name: "Guest".into(),
            arrival_time: "01:30".into(),
            arrives_after_midnight: true,
            bed_preference: proto::BedPreference::Twin.into(),
            smoking_preference: proto::SmokingPreference::NonSmoking.into(),
            special_request: "A quiet room,\nif there is one".into(),
            loyalty_id: "L-17".into(),
            late_arrival_until: "2030-01-12".into(),
        };
        assert_eq!(shown(read(guest.clone()).expect("valid").expect("said")), guest);
        assert_eq!(read(proto::RoomGuest::default()), Ok(None));
    }

    #[test]
    fn every_wrong_field_is_named_and_card_numbers_are_refused_in_every_text() {
        let card = "4242 4242 4242 4242";
        let wrong = proto::RoomGuest {
            phone: "4242 4242 4242 4242".into(),
            given_name: card.into(),
            family_name: "x".repeat(101),
            arrival_time: "25:00".into(),
            arrives_after_midnight: false,
            bed_preference: 9,
            smoking_preference: 9,
            special_request: format!("charge {card}"),
            loyalty_id: "４２４２４２４２４２４２４２４２".into(),
            late_arrival_until: "2030-02-30".into(),
        };
        let fields = [
            "given_name",
            "family_name",
            "special_request",
            "loyalty_id",
            "phone",
            "arrival_time",
            "late_arrival_until",
            "bed_preference",
            "smoking_preference",
        ];
        assert_eq!(read(wrong), Err(fields.map(|field| format!("room_guests[0].{field}")).to_vec()));
        let untimed = proto::RoomGuest { arrives_after_midnight: true, ..proto::RoomGuest::default() };
        assert_eq!(read(untimed), Err(vec!["room_guests[0].arrives_after_midnight".to_owned()]));
        let long = proto::RoomGuest { special_request: "x".repeat(501), ..proto::RoomGuest::default() };
        assert_eq!(read(long), Err(vec!["room_guests[0].special_request".to_owned()]));
    }
}
