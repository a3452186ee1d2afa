//! HTML of the status page. `maud` escapes every interpolated value; the page runs no script.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, civil::Date};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::texts::{PageText, Tone};
use crate::{
    clients::hotels::StayNames,
    model::{Booking, Payment},
};

const STYLE: &str = include_str!("style.css");

/// Allows this style sheet and nothing else: no script, no image, no form, no frame.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The `content-security-policy` header of every status page.
pub fn content_security_policy() -> &'static str {
    &POLICY
}

pub(super) fn page(
    text: &PageText,
    payment: &Payment,
    booking: Option<&Booking>,
    names: Option<&StayNames>,
    now: Timestamp,
) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if let Some(seconds) = text.refresh_seconds { meta http-equiv="refresh" content=(seconds); }
                title { (text.title) " - Your booking" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    div.state.(tone(text.tone)) role="status" {
                        h1 { (text.title) }
                        @for paragraph in &text.paragraphs { p { (paragraph) } }
                    }
                    @if let Some(page) = payment.checkout_url.as_deref().filter(|_| text.payable) {
                        a.pay href=(page) rel="noreferrer" { "Continue to the payment" }
                    }
                    (stay(payment, booking, names))
                    p.foot {
                        "As of " (now.strftime("%H:%M:%S UTC")) ". "
                        @if let Some(seconds) = text.refresh_seconds { "This page refreshes every " (seconds) " seconds. " }
                        a href="" { "Refresh now" }
                    }
                }
            }
        }
    }
}

fn stay(payment: &Payment, booking: Option<&Booking>, names: Option<&StayNames>) -> Markup {
    html! {
        h2 { "Your stay" }
        dl {
            @if let Some(names) = names {
                dt { "Hotel" } dd { (names.hotel) @if !names.city.is_empty() { ", " (names.city) } }
            }
            @if let Some(booking) = booking {
                dt { "Room" } dd { (rooms(booking.rooms, names)) }
                dt { "Arrival" } dd { (date(booking.check_in)) }
                dt { "Departure" } dd { (date(booking.check_out)) }
                dt { "Guests" } dd { (booking.guests) }
            }
            dt { "Price" } dd { (payment.amount) }
            dt { "Booking" } dd { code { (payment.reservation_id) } }
        }
    }
}

fn rooms(count: i32, names: Option<&StayNames>) -> String {
    match names {
        Some(names) => format!("{count} × {}", names.room_type),
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
            stage::{
                stage,
                tests::{BOOKINGS, BookingCase as B, NOW, PAYMENTS, PaymentCase as P, booking_in, payment},
            },
            texts::text_of,
        },
        *,
    };

    fn html_of(payment: &Payment, booking: B, names: Option<&StayNames>) -> String {
        let booking = booking_in(booking);
        let stage = stage(payment, booking.as_ref(), NOW).expect("a stage");
        page(&text_of(&stage, payment, NOW), payment, booking.as_ref(), names, NOW).0
    }

    fn names(text: &str) -> StayNames {
        StayNames { hotel: format!("Hotel {text}"), city: format!("City {text}"), room_type: format!("Double {text}") }
    }

    #[test]
    fn page_describes_stay_without_personal_data() {
        for state in PAYMENTS {
            for booking in BOOKINGS {
                let payment = payment(state);
                let page = html_of(&payment, booking, Some(&names("one")));
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
    fn interpolated_values_are_escaped() {
        let mut open = payment(P::Open);
        open.checkout_url = Some("https://psp.example/?a=1&b=\"><script>".into());
        let page = html_of(&open, B::Held, Some(&names("<script>alert('1')</script>&\"")));
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("Hotel &lt;script&gt;"), "{page}");
        assert!(page.contains("href=\"https://psp.example/?a=1&amp;b=&quot;&gt;&lt;script&gt;\""), "{page}");
    }

    #[test]
    fn page_without_names_shows_room_count() {
        let page = html_of(&payment(P::Paid), B::Paid, None);
        assert!(page.contains("1 room") && !page.contains("<dt>Hotel</dt>"), "{page}");
    }

    #[test]
    fn policy_allows_only_this_style_sheet() {
        let policy = content_security_policy();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert!(html_of(&payment(P::Paid), B::Paid, None).contains(&format!("<style>{STYLE}</style>")));
        assert!(!STYLE.contains('<') && !STYLE.contains("url("));
    }
}
