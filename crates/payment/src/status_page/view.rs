//! HTML of the status page. `maud` escapes every interpolated value. The page's script only fetches the page again and
//! replaces the parts that have changed, so that nobody who reads it loses their place; without it the page is complete.

use std::sync::LazyLock;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::{Timestamp, civil::Date};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use staymesh_domain::{CancellationTerms, Deadline, Language, RoomTypeId};

use super::texts::{Message, PageText, Tone, Words};
use crate::{
    clients::hotels::StayNames,
    model::{Booking, Payment},
};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Allows this style sheet, this script and fetching this site: no image, no form, no frame, nothing from elsewhere.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let [style, script] = [STYLE, SCRIPT].map(|source| BASE64_STANDARD.encode(Sha256::digest(source)));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The `content-security-policy` header of every status page.
pub fn content_security_policy() -> &'static str {
    &POLICY
}

/// What a page shows.
pub(super) struct View<'a> {
    pub(super) text: &'a PageText,
    pub(super) payment: &'a Payment,
    /// The payment of the latest change of a confirmed booking.
    pub(super) change: Option<&'a Payment>,
    pub(super) booking: Option<&'a Booking>,
    pub(super) names: Option<&'a StayNames>,
    pub(super) words: &'a Words,
    /// The key in the page's address, for the links to other languages.
    pub(super) key: &'a str,
    pub(super) now: Timestamp,
}

impl View<'_> {
    pub(super) fn page(&self) -> Markup {
        let text = self.text;
        html! {
            (DOCTYPE)
            html lang=(self.words.language().code()) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (text.title) " - " (self.words.say(Message::YourBooking)) }
                    style { (PreEscaped(STYLE)) }
                }
                body data-refresh=[text.refresh_seconds] {
                    main {
                        div #state data-part="" class={ "state " (tone(text.tone)) } role="status" {
                            h1 tabindex="-1" { (text.title) }
                            @for paragraph in &text.paragraphs { p { (paragraph) } }
                        }
                        div #action data-part="" { (self.action()) }
                        div #stay data-part="" { (self.stay()) }
                        p #asof .foot data-part="" { (self.as_of()) }
                        (self.languages())
                    }
                    @if text.refresh_seconds.is_some() { script { (PreEscaped(SCRIPT)) } }
                }
            }
        }
    }

    fn action(&self) -> Markup {
        html! {
            @if let Some(left) = &self.text.time_left { p.left { (left) } }
            @if let Some(page) = self.change.unwrap_or(self.payment).checkout_url.as_deref().filter(|_| self.text.payable) {
                a.pay href=(page) rel="noreferrer" { (self.words.say(Message::PayNow)) }
            }
            @if let Some(next) = self.text.next { p.next { (next) } }
        }
    }

    fn stay(&self) -> Markup {
        let say = |message| self.words.say(message);
        html! {
            h2 { (say(Message::YourStay)) }
            dl {
                @if let Some(names) = self.names {
                    dt { (say(Message::Hotel)) } dd { (names.hotel) @if !names.city.is_empty() { ", " (names.city) } }
                    @if !names.address.is_empty() { dt { (say(Message::Address)) } dd { (names.address) } }
                }
                @if let Some(booking) = self.booking {
                    dt { (say(Message::Room)) } dd { (self.rooms(&booking.rooms)) }
                    dt { (say(Message::Arrival)) } dd { (self.date(booking.check_in)) }
                    dt { (say(Message::Departure)) } dd { (self.date(booking.check_out)) }
                    dt { (say(Message::Guests)) } dd { (booking.guests) }
                }
                dt { (say(Message::Price)) } dd { (self.booking.map_or(self.payment.amount, |booking| booking.total)) }
                @if let Some(terms) = self.booking.and_then(|booking| booking.terms.as_ref()) {
                    dt { (say(Message::Terms)) } dd { (self.terms(terms)) }
                }
                dt { (say(Message::Booking)) } dd { code { (self.payment.reservation_id) } }
            }
        }
    }

    fn rooms(&self, rooms: &[(RoomTypeId, i32)]) -> String {
        let count: i32 = rooms.iter().map(|(_, count)| count).sum();
        match self.names {
            Some(names) => {
                let name = |room_type| names.room_types.get(room_type).map_or("", String::as_str);
                let rooms: Vec<_> =
                    rooms.iter().map(|(room_type, count)| format!("{count} × {}", name(room_type))).collect();
                rooms.join(", ")
            }
            None if count == 1 => self.words.say(Message::OneRoom).to_owned(),
            None => self.words.fill(Message::Rooms, &[("count", &count)]),
        }
    }

    fn date(&self, date: Date) -> String {
        self.words.date(date)
    }

    /// The terms as the offer had them.
    fn terms(&self, terms: &CancellationTerms) -> String {
        let only = terms.deadlines.len() == 1;
        let sentence = |Deadline { until, penalty }: &Deadline| {
            let until = until.map(|until| self.words.time(until, self.now));
            match (until, penalty.minor()) {
                (None, 0) => self.words.say(Message::FreeAlways).to_owned(),
                (None, _) if only => self.words.fill(Message::PenaltyAlways, &[("amount", penalty)]),
                (None, _) => self.words.fill(Message::PenaltyAfter, &[("amount", penalty)]),
                (Some(until), 0) => self.words.fill(Message::FreeUntil, &[("until", &until)]),
                (Some(until), _) => self.words.fill(Message::PenaltyUntil, &[("until", &until), ("amount", penalty)]),
            }
        };
        terms.deadlines.iter().map(sentence).collect::<Vec<_>>().join(" ")
    }

    fn as_of(&self) -> Markup {
        let time = self.words.time(self.now, self.now);
        html! {
            (self.words.fill(Message::AsOf, &[("time", &time)])) " "
            @if self.text.refresh_seconds.is_some() { (self.words.say(Message::Updating)) " " }
            a href=(self.address(self.words.language())) { (self.words.say(Message::RefreshNow)) }
        }
    }

    fn languages(&self) -> Markup {
        html! {
            nav aria-label=(self.words.say(Message::Languages)) {
                @for language in Language::ALL {
                    a href=(self.address(language)) lang=(language.code()) hreflang=(language.code())
                        aria-current=[(language == self.words.language()).then_some("true")] { (own_name(language)) }
                }
            }
        }
    }

    /// This page in a language.
    fn address(&self, language: Language) -> String {
        format!("?key={}&language={}", self.key, language.code())
    }
}

const fn own_name(language: Language) -> &'static str {
    match language {
        Language::English => "English",
        Language::Portuguese => "Português",
        Language::German => "Deutsch",
        Language::Spanish => "Español",
        Language::French => "Français",
    }
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
    use jiff::tz::TimeZone;

    use super::{
        super::{
            change::ChangeStage,
            stage::{
                stage,
                tests::{BOOKINGS, BookingCase as B, NOW, PAYMENTS, PaymentCase as P, booking_in, payment},
            },
            texts::text_of,
        },
        *,
    };

    fn html_of(payment: &Payment, booking: B, names: Option<&StayNames>) -> String {
        html_in(Language::English, payment, booking, names)
    }

    fn html_in(language: Language, payment: &Payment, booking: B, names: Option<&StayNames>) -> String {
        let booking = booking_in(booking);
        let words = &Words::new(language, names.and_then(|names| names.time_zone.clone()));
        let stage = stage(payment, booking.as_ref(), NOW).expect("a stage");
        let text = &text_of(&stage, payment, None, words, NOW);
        View { text, payment, change: None, booking: booking.as_ref(), names, words, key: "abc_-", now: NOW }.page().0
    }

    fn names(text: &str) -> StayNames {
        StayNames {
            hotel: format!("Hotel {text}"),
            city: format!("City {text}"),
            address: format!("Street {text}"),
            room_types: [(3.try_into().unwrap(), format!("Double {text}"))].into(),
            time_zone: TimeZone::get("Pacific/Auckland").ok(),
        }
    }

    #[test]
    fn page_describes_stay_without_personal_data() {
        for state in PAYMENTS {
            for booking in BOOKINGS {
                let payment = payment(state);
                let page = html_of(&payment, booking, Some(&names("one")));
                for text in ["<!DOCTYPE html>", "lang=\"en\"", "role=\"status\"", "<h1 ", "EUR 100.00"] {
                    assert!(page.contains(text), "{text} {state:?} {booking:?}");
                }
                assert!(page.contains(&payment.reservation_id.to_string()));
                assert_eq!(page.contains("Wednesday, 1 May 2030"), booking != B::Unknown);
                for secret in [payment.owner.as_str(), "cs_1", "http-equiv", "hotel.example"] {
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
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(page.contains("Hotel &lt;script&gt;"), "{page}");
        assert!(page.contains("href=\"https://psp.example/?a=1&amp;b=&quot;&gt;&lt;script&gt;\""), "{page}");
    }

    #[test]
    fn page_without_names_shows_room_count() {
        let page = html_of(&payment(P::Paid), B::Paid, None);
        assert!(page.contains("1 room") && !page.contains("<dt>Hotel</dt>"), "{page}");
    }

    #[test]
    fn page_of_a_confirmed_booking_shows_the_change_and_links_its_payment_in_every_language() {
        for language in Language::ALL {
            let (paid, change) = (payment(P::Paid), Payment { revision: 2, ..payment(P::Open) });
            let booking = booking_in(B::Paid);
            let words = &Words::new(language, None);
            let stage = stage(&paid, booking.as_ref(), NOW).expect("a stage");
            for (of_change, linked) in [
                (ChangeStage::Payable(change.expire_time), true),
                (ChangeStage::Waiting, false),
                (ChangeStage::Received, false),
                (ChangeStage::Applied, false),
                (ChangeStage::NotApplied, false),
                (ChangeStage::PaidTooLate, false),
            ] {
                let text = &text_of(&stage, &paid, Some((&change, of_change)), words, NOW);
                let view = View {
                    text,
                    payment: &paid,
                    change: Some(&change),
                    booking: booking.as_ref(),
                    names: None,
                    words,
                    key: "abc_-",
                    now: NOW,
                };
                let page = view.page().0;
                let link = format!("href=\"{}\"", change.checkout_url.as_deref().unwrap());
                assert_eq!(page.contains(&link), linked, "{language:?} {of_change:?}: {page}");
                assert_eq!(text.paragraphs.len(), 2, "the booking and its change");
            }
        }
    }

    #[test]
    fn page_is_in_the_language_and_links_the_others() {
        for language in Language::ALL {
            let page = html_in(language, &payment(P::Open), B::Held, Some(&names("one")));
            let code = language.code();
            assert!(page.contains(&format!("<html lang=\"{code}\">")), "{page}");
            assert!(page.contains("(Pacific/Auckland)") && page.contains("Street one"), "{page}");
            for other in Language::ALL {
                let link = format!("href=\"?key=abc_-&amp;language={}\"", other.code());
                assert!(page.contains(&link), "{link} {page}");
            }
            assert_eq!(page.contains("Waiting for your payment"), language == Language::English, "{page}");
        }
    }

    #[test]
    fn page_shows_terms_of_cancelling_and_what_can_still_be_done() {
        let page = html_of(&payment(P::Paid), B::Paid, Some(&names("one")));
        assert!(page.contains("Free until 29 April 2030, 12:00 (Pacific/Auckland). After that, EUR 30.00 is kept."));
        assert!(page.contains("To change or cancel the booking, use the site where you booked."), "{page}");
    }

    #[test]
    fn policy_allows_only_this_style_sheet() {
        let policy = content_security_policy();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
        assert!(html_of(&payment(P::Open), B::Held, None).contains(&format!("<script>{SCRIPT}</script>")));
        assert!(!html_of(&payment(P::Paid), B::Paid, None).contains("<script"), "nothing will change");
        assert!(!SCRIPT.contains("</"));
        assert!(html_of(&payment(P::Paid), B::Paid, None).contains(&format!("<style>{STYLE}</style>")));
        assert!(!STYLE.contains('<') && !STYLE.contains("url("));
    }
}
