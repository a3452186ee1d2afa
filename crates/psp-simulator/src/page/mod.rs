//! The hosted checkout page, as a guest sees it, in five languages. `maud` escapes everything that is put in; no script is
//! needed.

mod guest;
mod layout;
mod texts;
mod view;

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, State},
    http::StatusCode,
    response::Response,
    routing::{get, post},
};
use maud::html;
use url::{Url, form_urlencoded};

use self::{
    guest::Guest,
    layout::{answer, layout},
    view::View,
};
use crate::{
    cards::{self, Effect, TEST_CARD},
    error::Refusal,
    faults::{Decision, Switches, withheld},
    model::{Session, SessionStatus},
    provider::Provider,
};

#[derive(Clone)]
struct Pages {
    provider: Provider,
    /// Where pages begin, on the host that the guest sees.
    base: String,
}

pub(crate) fn router(provider: Provider, public_url: &Url) -> Router {
    let base = format!("{}/checkout", public_url.path().trim_end_matches('/'));
    Router::new()
        .route("/checkout/{token}", get(show))
        .route("/checkout/{token}/pay", post(pay).get(show))
        .route("/checkout/{token}/challenge", post(challenge).get(show))
        .route("/checkout/{token}/review", post(review).get(show))
        .route("/checkout/{token}/decline", post(give_up).get(show))
        .layer(DefaultBodyLimit::max(4096))
        .with_state(Pages { provider, base })
}

async fn show(guest: Guest, State(pages): State<Pages>, Path(token): Path<String>) -> Response {
    match pages.provider.by_token(&token) {
        // Viewing an open page is no failure.
        Ok(session) if session.status == SessionStatus::Open => pages.answer(guest, StatusCode::OK, &session, None),
        session => pages.respond(guest, session),
    }
}

async fn pay(guest: Guest, State(pages): State<Pages>, Path(token): Path<String>, form: Bytes) -> Response {
    // Without a card number, as from a plain `curl -X POST`, the prefilled one is used.
    let number = field(&form, "card_number");
    let Some(effect) = cards::effect(number.as_deref().unwrap_or(TEST_CARD)) else {
        return match pages.provider.by_token(&token) {
            Ok(session) if session.status == SessionStatus::Open => {
                pages.answer(guest, StatusCode::PAYMENT_REQUIRED, &session, Some(guest.texts().not_a_test_card))
            }
            session => pages.respond(guest, session),
        };
    };
    let session = pages.provider.use_card(&token, effect);
    if effect == Effect::PaysWithoutAnswer && session.is_ok() { withheld() } else { pages.respond(guest, session) }
}

async fn challenge(guest: Guest, State(pages): State<Pages>, Path(token): Path<String>, form: Bytes) -> Response {
    match decision(&form) {
        Some(answer) => pages.respond(guest, pages.provider.answer_challenge(&token, answer)),
        None => undecided(guest),
    }
}

/// Decides a review from the page, without an API key.
async fn review(guest: Guest, State(pages): State<Pages>, Path(token): Path<String>, form: Bytes) -> Response {
    let Some(decision) = decision(&form) else { return undecided(guest) };
    let session = pages.provider.by_token(&token).and_then(|session| {
        match pages.provider.decide(&session.id, decision, Switches::default()) {
            // Decided differently by now, or never in review: the page shows the status.
            Err(Refusal::NotInReview) => Ok(session),
            decided => decided,
        }
    });
    pages.respond(guest, session)
}

async fn give_up(guest: Guest, State(pages): State<Pages>, Path(token): Path<String>) -> Response {
    let session = pages.provider.by_token(&token);
    pages.respond(
        guest,
        session.and_then(|session| pages.provider.end(&session.id, SessionStatus::Failed, Switches::default())),
    )
}

impl Pages {
    fn respond(&self, guest: Guest, session: Result<Session, Refusal>) -> Response {
        match session {
            Ok(session) => self.answer(guest, status_of(&session), &session, None),
            Err(refusal) => refused(guest, &refusal),
        }
    }

    fn answer(&self, guest: Guest, status: StatusCode, session: &Session, message: Option<&str>) -> Response {
        match View::new(guest, session, &self.base, message) {
            Ok(view) => answer(status, &layout(guest, view.title(), &view.body())),
            Err(error) => {
                tracing::error!(session = session.id, error.cause = %error, "a session has no page");
                failure(guest, StatusCode::INTERNAL_SERVER_ERROR, guest.texts().not_displayed)
            }
        }
    }
}

/// The HTTP status by session status, for scripts.
fn status_of(session: &Session) -> StatusCode {
    match session.status {
        SessionStatus::Open if session.challenge.is_none() => StatusCode::PAYMENT_REQUIRED,
        SessionStatus::Open | SessionStatus::InReview => StatusCode::ACCEPTED,
        SessionStatus::Paid => StatusCode::OK,
        SessionStatus::Failed => StatusCode::PAYMENT_REQUIRED,
        SessionStatus::Expired => StatusCode::GONE,
    }
}

fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
}

fn decision(form: &[u8]) -> Option<Decision> {
    Decision::parse(&field(form, "decision")?)
}

fn undecided(guest: Guest) -> Response {
    failure(guest, StatusCode::BAD_REQUEST, guest.texts().undecided)
}

fn refused(guest: Guest, refusal: &Refusal) -> Response {
    match refusal {
        Refusal::NotFound(_) => failure(guest, StatusCode::NOT_FOUND, guest.texts().not_found),
        _ => failure(guest, StatusCode::SERVICE_UNAVAILABLE, guest.texts().unavailable),
    }
}

fn failure(guest: Guest, status: StatusCode, text: &str) -> Response {
    let body = html! { p.note.bad role="alert" { (text) } };
    answer(status, &layout(guest, guest.texts().title_checkout, &body))
}
