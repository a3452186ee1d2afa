//! The hosted checkout page, as a guest sees it. `maud` escapes everything that is put in.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use staymesh_domain::Money;
use url::form_urlencoded;

use crate::{
    cards::{self, TEST_CARD, TEST_CARDS},
    error::Refusal,
    model::{Session, SessionStatus},
    provider::Provider,
};

pub(crate) fn router(provider: Provider) -> Router {
    Router::new()
        .route("/checkout/{token}", get(show))
        .route("/checkout/{token}/pay", post(pay))
        .route("/checkout/{token}/decline", post(decline))
        .layer(DefaultBodyLimit::max(4096))
        .with_state(provider)
}

async fn show(State(provider): State<Provider>, Path(token): Path<String>) -> Response {
    match provider.by_token(&token) {
        Ok(session) => answer(status_of(&session, StatusCode::OK), &session_page(&session, None)),
        Err(refusal) => refused(&refusal),
    }
}

async fn pay(State(provider): State<Provider>, Path(token): Path<String>, form: Bytes) -> Response {
    // Without a card number, as from a plain `curl -X POST`, it is the one the page comes with.
    let number = form_urlencoded::parse(&form).find(|(name, _)| name == "card_number").map(|(_, value)| value);
    let outcome = cards::outcome(number.as_deref().unwrap_or(TEST_CARD));
    let to = match outcome {
        cards::Outcome::Pays => SessionStatus::Paid,
        cards::Outcome::Declined => SessionStatus::Failed,
        cards::Outcome::TryAnother => return try_again(&provider, &token, "This card was declined. Try another one."),
        cards::Outcome::NotATestCard => {
            return try_again(&provider, &token, "This is not a test card. No real card is taken here.");
        }
    };
    end(&provider, &token, to)
}

async fn decline(State(provider): State<Provider>, Path(token): Path<String>) -> Response {
    end(&provider, &token, SessionStatus::Failed)
}

fn end(provider: &Provider, token: &str, to: SessionStatus) -> Response {
    match provider.by_token(token).and_then(|session| provider.end(&session.id, to)) {
        Ok(session) => answer(status_of(&session, StatusCode::OK), &session_page(&session, None)),
        Err(refusal) => refused(&refusal),
    }
}

fn try_again(provider: &Provider, token: &str, message: &str) -> Response {
    match provider.by_token(token) {
        Ok(session) => {
            answer(status_of(&session, StatusCode::PAYMENT_REQUIRED), &session_page(&session, Some(message)))
        }
        Err(refusal) => refused(&refusal),
    }
}

/// So that a script can tell how it went without reading the page.
fn status_of(session: &Session, open: StatusCode) -> StatusCode {
    match session.status {
        SessionStatus::Open => open,
        SessionStatus::Paid => StatusCode::OK,
        SessionStatus::Failed => StatusCode::PAYMENT_REQUIRED,
        SessionStatus::Expired => StatusCode::GONE,
    }
}

fn session_page(session: &Session, message: Option<&str>) -> Markup {
    let (title, body) = match session.status {
        SessionStatus::Open => ("Checkout", form(session, message)),
        SessionStatus::Paid => ("Paid", result(session, "ok", "Thank you, your payment has been received.")),
        SessionStatus::Failed => ("Declined", result(session, "bad", "The payment was declined. Nothing was charged.")),
        SessionStatus::Expired => ("Expired", result(session, "bad", "This page has expired. Nothing was charged.")),
    };
    layout(title, &body)
}

fn summary(session: &Session) -> Markup {
    html! {
        p.amount { (amount(session)) }
        dl {
            @if let Some(description) = &session.order.description { dt { "For" } dd { (description) } }
            dt { "Reference" } dd { code { (session.order.reference) } }
            @if session.status == SessionStatus::Open { dt { "Pay before" } dd { (time(session.order.expires_at)) } }
        }
    }
}

fn form(session: &Session, message: Option<&str>) -> Markup {
    let action = |verb: &str| format!("{}/{verb}", session.token);
    html! {
        (summary(session))
        @if let Some(message) = message { p.note.bad role="alert" { (message) } }
        form method="post" action=(action("pay")) {
            label for="card_number" { "Card number" }
            input #card_number name="card_number" value=(TEST_CARD) inputmode="numeric" autocomplete="off"
                maxlength="23" required;
            button.primary type="submit" { "Pay " (amount(session)) }
            button type="submit" formaction=(action("decline")) formnovalidate { "Decline" }
        }
        details {
            summary { "Test cards" }
            ul { @for (number, effect) in TEST_CARDS { li { code { (number) } " " (effect) } } }
        }
    }
}

fn result(session: &Session, class: &str, text: &str) -> Markup {
    html! {
        p class={ "note " (class) } role="status" { (text) }
        (summary(session))
        @if let Some(url) = &session.order.return_url {
            a.button.primary href=(url) rel="noreferrer" { "Back to the merchant" }
        }
    }
}

fn refused(refusal: &Refusal) -> Response {
    let (status, text) = match refusal {
        Refusal::NotFound => (StatusCode::NOT_FOUND, "There is no such checkout page."),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "This does not work just now. Nothing was charged; try again."),
    };
    answer(status, &layout("Checkout", &html! { p.note.bad { (text) } }))
}

fn layout(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    p.brand { "Simulated payments" span { "test mode, no real money" } }
                    (body)
                }
            }
        }
    }
}

fn answer(status: StatusCode, page: &Markup) -> Response {
    const HEADERS: [(HeaderName, HeaderValue); 4] = [
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
            ),
        ),
        // The address of the page is as good as money.
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, HEADERS, Html(page.0.clone())).into_response()
}

fn amount(session: &Session) -> String {
    let money = session
        .order
        .currency
        .parse()
        .and_then(|currency| Money::from_minor(session.order.amount_minor, currency))
        .map(|money| money.to_string());
    // Never so: it was checked when the session was made.
    money.unwrap_or_default()
}

fn time(unix: i64) -> String {
    Timestamp::from_second(unix).map(|time| time.strftime("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default()
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5b6470; --line: #d8dde3; --back: #f3f5f7; --card: #fff;
    --go: #1257c9; --ok: #12713d; --bad: #a4262c; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebee; --soft: #9aa4af; --line: #3a424b; --back: #14171a;
    --card: #1d2227; --go: #3d7fe8; --ok: #4fbf80; --bad: #f0777c; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--back);
    color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; padding: 1.75rem; background: var(--card); border: 1px solid var(--line);
    border-radius: 12px; }
.brand { margin: 0 0 1.25rem; font-weight: 600; } .brand span { display: block; font-weight: 400; color: var(--soft);
    font-size: .875rem; }
.amount { margin: 0 0 .75rem; font-size: 2rem; font-weight: 650; font-variant-numeric: tabular-nums; }
dl { margin: 0 0 1.25rem; display: grid; grid-template-columns: auto 1fr; gap: .25rem 1rem; font-size: .9rem; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
label { display: block; margin-bottom: .25rem; font-size: .9rem; }
input { width: 100%; padding: .65rem .75rem; font: inherit; color: inherit; background: transparent;
    border: 1px solid var(--line); border-radius: 8px; }
button, .button { display: block; width: 100%; margin-top: .75rem; padding: .7rem; font: inherit; text-align: center;
    text-decoration: none; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 8px;
    cursor: pointer; }
.primary { background: var(--go); border-color: var(--go); color: #fff; font-weight: 600; }
:focus-visible { outline: 3px solid var(--go); outline-offset: 2px; }
.note { margin: 0 0 1rem; padding: .6rem .75rem; border-left: 4px solid; background: var(--back); }
.ok { color: var(--ok); } .bad { color: var(--bad); }
details { margin-top: 1.25rem; font-size: .875rem; color: var(--soft); } ul { padding-left: 1.1rem; }
";
