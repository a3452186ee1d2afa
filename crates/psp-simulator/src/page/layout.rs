//! The common layout and headers of all pages.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::guest::Guest;

const STYLE: &str = include_str!("style.css");

pub(super) fn layout(guest: Guest, title: &str, body: &Markup) -> Markup {
    let texts = guest.texts();
    html! {
        (DOCTYPE)
        html lang=(guest.language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " - " (texts.brand) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    p.brand { (texts.brand) span { (texts.test_mode) } }
                    h1 { (title) }
                    (body)
                }
            }
        }
    }
}

pub(super) fn answer(status: StatusCode, page: &Markup) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 5] = [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
        ),
        // The address of the page entitles to pay.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::VARY, HeaderValue::from_static("accept-language")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, HEADERS, Html(page.0.clone())).into_response()
}
