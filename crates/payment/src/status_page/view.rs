//! The page itself. `maud` escapes everything that is put in; no script is needed.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, civil::Date};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::words::{Tone, Words};
use crate::{hotels::Place, model::Payment, reservations::Booking};

const STYLE: &str = include_str!("style.css");

/// The browser gets this style and nothing else, be it from us or from anybody.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The `content-security-policy` that goes with every page.
pub fn content_security_policy() -> &'static str {
    &POLICY
}

pub(super) fn page(
    words: &Words,
    payment: &Payment,
    booking: Option<&Booking>,
    place: Option<&Place>,
    now: Timestamp,
) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if let Some(seconds) = words.again { meta http-equiv="refresh" content=(seconds); }
                title { (words.title) " - Your booking" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    div.state.(tone(words.tone)) role="status" {
                        h1 { (words.title) }
                        @for text in &words.text { p { (text) } }
                    }
                    @if let Some(page) = payment.checkout_url.as_deref().filter(|_| words.payable) {
                        a.pay href=(page) rel="noreferrer" { "Go on to the payment" }
                    }
                    (stay(payment, booking, place))
                    p.foot {
                        "As of " (now.strftime("%H:%M:%S UTC")) ". "
                        @if let Some(seconds) = words.again { "This page looks again every " (seconds) " seconds. " }
                        a href="" { "Look again" }
                    }
                }
            }
        }
    }
}

fn stay(payment: &Payment, booking: Option<&Booking>, place: Option<&Place>) -> Markup {
    html! {
        h2 { "Your stay" }
        dl {
            @if let Some(place) = place {
                dt { "Hotel" } dd { (place.hotel) @if !place.city.is_empty() { ", " (place.city) } }
            }
            @if let Some(booking) = booking {
                dt { "Room" } dd { (rooms(booking.rooms, place)) }
                dt { "Arrival" } dd { (date(booking.check_in)) }
                dt { "Departure" } dd { (date(booking.check_out)) }
                dt { "Guests" } dd { (booking.guests) }
            }
            dt { "Price" } dd { (payment.amount) }
            dt { "Booking" } dd { code { (payment.reservation_id) } }
        }
    }
}

fn rooms(count: i32, place: Option<&Place>) -> String {
    match place {
        Some(place) => format!("{count} × {}", place.room_type),
        None if count == 1 => "1 room".to_owned(),
        None => format!("{count} rooms"),
    }
}

fn date(date: Date) -> String {
    date.strftime("%a, %-d %b %Y").to_string()
}

fn tone(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Waiting => "waiting",
        Tone::Bad => "bad",
        Tone::Ended => "ended",
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            moment::{
                moment,
                tests::{B, BOOKINGS, NOW, P, PAYMENTS, booked, payment},
            },
            words,
        },
        *,
    };

    fn shown(payment: &Payment, booking: B, place: Option<&Place>) -> String {
        let booking = booked(booking);
        let words = words::of(&moment(payment, booking.as_ref(), NOW), payment, NOW);
        page(&words, payment, booking.as_ref(), place, NOW).0
    }

    fn place(text: &str) -> Place {
        Place { hotel: format!("Hotel {text}"), city: format!("City {text}"), room_type: format!("Double {text}") }
    }

    #[test]
    fn a_page_says_what_the_stay_is_and_names_nobody() {
        for state in PAYMENTS {
            for booking in BOOKINGS {
                let payment = payment(state);
                let page = shown(&payment, booking, Some(&place("one")));
                for text in ["<!DOCTYPE html>", "lang=\"en\"", "role=\"status\"", "<h1>", "EUR 100.00"] {
                    assert!(page.contains(text), "{text} {state:?} {booking:?}");
                }
                assert!(page.contains(&payment.reservation_id.to_string()));
                assert_eq!(page.contains("Wed, 1 May 2030"), booking != B::Unknown);
                for secret in [payment.owner.as_str(), "cs_1", "<script", "hotel.example"] {
                    assert!(!page.contains(secret), "{secret} {state:?} {booking:?}");
                }
                assert!(
                    !page.contains(&payment.payment_id.to_string())
                        || (matches!(state, P::Open | P::Declined) && booking == B::Held)
                );
            }
        }
    }

    #[test]
    fn whatever_a_hotel_is_called_it_is_text() {
        let mut open = payment(P::Open);
        open.checkout_url = Some("https://psp.example/?a=1&b=\"><script>".into());
        let page = shown(&open, B::Held, Some(&place("<script>alert('1')</script>&\"")));
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("Hotel &lt;script&gt;"), "{page}");
        assert!(page.contains("href=\"https://psp.example/?a=1&amp;b=&quot;&gt;&lt;script&gt;\""), "{page}");
    }

    #[test]
    fn without_a_name_it_is_still_a_stay() {
        let page = shown(&payment(P::Paid), B::Paid, None);
        assert!(page.contains("1 room") && !page.contains("<dt>Hotel</dt>"), "{page}");
    }

    #[test]
    fn the_policy_lets_in_this_style_and_nothing_else() {
        let policy = content_security_policy();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert!(shown(&payment(P::Paid), B::Paid, None).contains(&format!("<style>{STYLE}</style>")));
        assert!(!STYLE.contains('<') && !STYLE.contains("url("));
    }
}
