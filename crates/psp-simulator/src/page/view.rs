//! One page for each state of a session.

use jiff::Timestamp;
use maud::{Markup, html};
use staymesh_domain::{Money, MoneyError};

use crate::{
    cards::{TEST_CARD, TEST_CARDS},
    model::{Session, SessionStatus},
    store::MAX_DECLINES,
};

/// A session and the context of its page.
pub(super) struct View<'a> {
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
    pub(super) fn new(session: &'a Session, base: &'a str, message: Option<&'a str>) -> Result<Self, ViewError> {
        let order = &session.order;
        let amount = Money::from_minor(order.amount_minor, order.currency.parse()?)?;
        Ok(Self { session, amount, expire_time: Timestamp::from_second(order.expires_at)?, base, message })
    }

    pub(super) fn title(&self) -> &'static str {
        match self.session.status {
            SessionStatus::Open if self.session.challenge.is_some() => "Confirm with your bank",
            SessionStatus::Open if self.session.declines.is_empty() => "Checkout",
            SessionStatus::Open => "Declined: try again",
            SessionStatus::InReview => "In review",
            SessionStatus::Paid => "Paid",
            SessionStatus::Failed => "Declined",
            SessionStatus::Expired => "Expired",
        }
    }

    pub(super) fn body(&self) -> Markup {
        match self.session.status {
            SessionStatus::Open if self.session.challenge.is_some() => self.challenge(),
            SessionStatus::Open => self.form(),
            SessionStatus::InReview => self.review(),
            SessionStatus::Paid => self.result("ok", "Thank you, your payment has been received."),
            SessionStatus::Failed => self.result("bad", "The payment was declined. Nothing was charged."),
            SessionStatus::Expired => self.result("bad", "This page has expired. Nothing was charged."),
        }
    }

    fn form(&self) -> Markup {
        let declines = &self.session.declines;
        html! {
            (self.summary())
            @if let Some(why) = declines.last() {
                p.note.bad role="alert" {
                    (why.text()) " Nothing was charged. Try another card: "
                    (tries_left(MAX_DECLINES.saturating_sub(declines.len())))
                }
            }
            @if let Some(message) = self.message { p.note.bad role="alert" { (message) } }
            form method="post" action=(self.action("pay")) {
                label for="card_number" { "Card number" }
                input #card_number name="card_number" value=(TEST_CARD) inputmode="numeric" autocomplete="off"
                    maxlength="23" required;
                button.primary type="submit" { "Pay " (self.amount.to_string()) }
                button type="submit" formaction=(self.action("decline")) formnovalidate { "Give up" }
            }
            details {
                summary { "Test cards" }
                table {
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
            p.note role="status" { "3-D Secure: your bank asks whether it is you who pays. Nothing has been charged yet." }
            (self.summary())
            (self.choice("challenge", "Yes, it is me", "No, reject"))
        }
    }

    fn review(&self) -> Markup {
        html! {
            p.note role="status" {
                "The payment is being reviewed. That may take a while. You need not wait here, and must not pay again: "
                "the merchant is notified of the decision."
            }
            (self.summary())
            a.button.primary href=(self.page()) { "Look again" }
            (self.back(false))
            details {
                summary { "Test mode: decide as the reviewer" }
                (self.choice("review", "Approve", "Reject"))
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
                a.button.primary[primary] href=(url) rel="noreferrer" { "Back to the merchant" }
            }
        }
    }

    fn summary(&self) -> Markup {
        let order = &self.session.order;
        html! {
            p.amount { (self.amount.to_string()) }
            dl {
                @if let Some(description) = &order.description { dt { "For" } dd { (description) } }
                dt { "Reference" } dd { code { (order.reference) } }
                @if self.session.status == SessionStatus::Open { dt { "Pay before" } dd { (self.expire_time.strftime("%Y-%m-%d %H:%M UTC").to_string()) } }
            }
        }
    }

    fn page(&self) -> String {
        format!("{}/{}", self.base, self.session.token)
    }

    fn action(&self, verb: &str) -> String {
        format!("{}/{verb}", self.page())
    }
}

fn tries_left(count: usize) -> String {
    if count == 1 { "one try is left.".to_owned() } else { format!("{count} tries are left.") }
}
