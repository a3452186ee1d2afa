//! One page for each state of a session.

use jiff::Timestamp;
use maud::{Markup, html};
use staymesh_domain::{Language, Money, MoneyError};

use super::{
    guest::{Guest, in_language},
    texts::{Texts, name},
};
use crate::{
    cards::{TEST_CARD, TEST_CARDS},
    model::{Session, SessionStatus},
    store::MAX_DECLINES,
};

/// A session and the context of its page.
pub(super) struct View<'a> {
    guest: Guest,
    texts: &'static Texts,
    session: &'a Session,
    amount: Money,
    expire_time: Timestamp,
    /// Path prefix of all pages.
    base: &'a str,
    /// Error message about the form just submitted.
    message: Option<&'a str>,
}

/// Why a session has no page. The API validates every order, so only an edited state file can cause it.
#[derive(Debug, thiserror::Error)]
pub(super) enum ViewError {
    #[error("the amount is invalid: {0}")]
    Amount(#[from] MoneyError),
    #[error("the expiry is out of range: {0}")]
    Expiry(#[from] jiff::Error),
}

impl<'a> View<'a> {
    /// # Errors
    /// When amount, currency or expiry of the session are invalid.
    pub(super) fn new(
        guest: Guest,
        session: &'a Session,
        base: &'a str,
        message: Option<&'a str>,
    ) -> Result<Self, ViewError> {
        let order = &session.order;
        let amount = Money::from_minor(order.amount_minor, order.currency.parse()?)?;
        let expire_time = Timestamp::from_second(order.expires_at)?;
        Ok(Self { guest, texts: guest.texts(), session, amount, expire_time, base, message })
    }

    pub(super) fn title(&self) -> &'static str {
        match self.session.status {
            SessionStatus::Open if self.session.challenge.is_some() => self.texts.title_challenge,
            SessionStatus::Open if self.session.declines.is_empty() => self.texts.title_checkout,
            SessionStatus::Open => self.texts.title_try_again,
            SessionStatus::InReview => self.texts.title_review,
            SessionStatus::Paid => self.texts.title_paid,
            SessionStatus::Failed => self.texts.title_failed,
            SessionStatus::Expired => self.texts.title_expired,
        }
    }

    pub(super) fn body(&self) -> Markup {
        html! { (self.state()) (self.languages()) }
    }

    fn state(&self) -> Markup {
        match self.session.status {
            SessionStatus::Open if self.session.challenge.is_some() => self.challenge(),
            SessionStatus::Open => self.form(),
            SessionStatus::InReview => self.review(),
            SessionStatus::Paid => self.result("ok", self.texts.paid),
            SessionStatus::Failed => self.result("bad", self.texts.failed),
            SessionStatus::Expired => self.result("bad", self.texts.expired),
        }
    }

    fn form(&self) -> Markup {
        let (declines, texts) = (&self.session.declines, self.texts);
        let wrong = self.message.is_some() || !declines.is_empty();
        html! {
            (self.summary())
            @if let Some(why) = declines.last() {
                p #why .note.bad role="alert" {
                    (texts.decline(*why)) " " (texts.try_another_card) " "
                    (texts.tries_left(MAX_DECLINES.saturating_sub(declines.len())))
                }
            }
            @if let Some(message) = self.message { p #wrong .note.bad role="alert" { (message) } }
            form method="post" action=(self.action("pay")) {
                label for="card_number" { (texts.card_number) }
                input #card_number name="card_number" value=(TEST_CARD) inputmode="numeric" autocomplete="off"
                    maxlength="23" required aria-invalid=[wrong.then_some("true")]
                    aria-describedby=[wrong.then_some(if self.message.is_some() { "wrong" } else { "why" })];
                button.primary type="submit" { (texts.pay.replace("{amount}", &self.amount.to_string())) }
                button type="submit" formaction=(self.action("decline")) formnovalidate { (texts.give_up) }
            }
            details {
                summary { (texts.test_cards) }
                table lang=(Language::English.code()) {
                    thead { tr { th scope="col" { "Card" } th scope="col" { "What happens" } } }
                    tbody {
                        @for card in TEST_CARDS { tr { td { code { (card.number) } } td { (card.does) } } }
                    }
                }
            }
        }
    }

    fn challenge(&self) -> Markup {
        html! {
            p.note role="status" { (self.texts.challenge) }
            (self.summary())
            (self.choice("challenge", self.texts.it_is_me, self.texts.it_is_not_me))
        }
    }

    fn review(&self) -> Markup {
        html! {
            p.note role="status" { (self.texts.review) }
            (self.summary())
            a.button.primary href=(self.guest.address(&self.page())) { (self.texts.look_again) }
            (self.back(false))
            details {
                summary { (self.texts.decide) }
                (self.choice("review", self.texts.approve, self.texts.reject))
            }
        }
    }

    fn result(&self, class: &str, text: &str) -> Markup {
        html! {
            p class={ "note " (class) } role="status" { (text) }
            (self.summary())
            (self.back(true))
        }
    }

    fn choice(&self, verb: &str, approve: &str, reject: &str) -> Markup {
        html! {
            form method="post" action=(self.action(verb)) {
                button.primary type="submit" name="decision" value="approve" { (approve) }
                button type="submit" name="decision" value="reject" { (reject) }
            }
        }
    }

    fn back(&self, primary: bool) -> Markup {
        html! {
            @if let Some(url) = &self.session.order.return_url {
                a.button.primary[primary] href=(url) rel="noreferrer" { (self.texts.back) }
            }
        }
    }

    fn summary(&self) -> Markup {
        let order = &self.session.order;
        html! {
            p.amount { (self.amount.to_string()) }
            dl {
                @if let Some(description) = &order.description { dt { (self.texts.purpose) } dd { (description) } }
                dt { (self.texts.reference) } dd { code { (order.reference) } }
                @if self.session.status == SessionStatus::Open { dt { (self.texts.time_left) } dd { (self.time_left(Timestamp::now())) } }
            }
        }
    }

    /// `14 min (2030-05-01 12:45 UTC)`: the provider does not know the guest's zone, and minutes need none.
    fn time_left(&self, now: Timestamp) -> String {
        let minutes = (self.expire_time.as_second() - now.as_second()).max(0) / 60;
        format!("{minutes} min ({})", self.expire_time.strftime("%Y-%m-%d %H:%M UTC"))
    }

    fn languages(&self) -> Markup {
        html! {
            nav aria-label=(self.texts.languages) {
                @for language in Language::ALL {
                    a href=(in_language(&self.page(), language)) lang=(language.code()) hreflang=(language.code())
                        aria-current=[(language == self.guest.language).then_some("page")] { (name(language)) }
                }
            }
        }
    }

    fn page(&self) -> String {
        format!("{}/{}", self.base, self.session.token)
    }

    fn action(&self, verb: &str) -> String {
        self.guest.address(&format!("{}/{verb}", self.page()))
    }
}
