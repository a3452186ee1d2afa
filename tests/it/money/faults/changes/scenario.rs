//! The changes of the fault matrix. Callers know nothing of faults; they retry unanswered requests.

use jiff::{ToSpan, civil::Date};
use reqwest::Method;
use serde_json::{Value, json};

use super::end::{Checkout, End, await_decided};
use crate::{
    money::{
        changes::quote,
        credit::limit,
        faults::{
            scenario::{EVENTS_LOST, UNHEARD},
            shop::{PRICE, Sale, Shop},
        },
    },
    support::{Answer, DECLINED_CARD, Rest},
};

/// The price of a night, in minor units.
const NIGHT: i64 = PRICE / 3;

/// A change of a paid booking of three nights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scenario {
    /// The guest adds a night and pays for it.
    Longer,
    /// The guest drops a night and gets its price back.
    Shorter,
    /// The guest adds a night, and the card is declined for good.
    Declined,
    /// The guest adds a night and pays for it, and the provider sends no event.
    LongerUnheard,
    /// The guest adds a night and pays for it after the change was given up.
    TooLate,
    /// The guest drops a night, and the provider sends no event.
    ShorterUnheard,
    /// The guest drops a night, and the response to the first refund request is lost.
    ShorterUnanswered,
    /// A partner who collects adds a night.
    PartnerLonger,
    /// A partner who collects drops a night.
    PartnerShorter,
    /// A partner who collects adds a night beyond its credit limit.
    PartnerRefused,
}

/// A paid booking before it is changed.
pub(super) struct Booked {
    pub(super) caller: Rest,
    /// The booking and its payment; no payment if a partner collects.
    pub(super) sale: Sale,
    pub(super) check_out: Date,
    /// The check-out after the change.
    pub(super) changed: Date,
}

impl Scenario {
    pub(super) const ALL: [Self; 10] = [
        Self::Longer,
        Self::Shorter,
        Self::Declined,
        Self::LongerUnheard,
        Self::TooLate,
        Self::ShorterUnheard,
        Self::ShorterUnanswered,
        Self::PartnerLonger,
        Self::PartnerShorter,
        Self::PartnerRefused,
    ];

    /// The steps that it leads through.
    pub(super) const fn steps(self) -> &'static [&'static str] {
        match self {
            Self::Longer => &[
                "change.held",
                "pay_in.terms_saved",
                "pay_in.order_saved",
                "pay_in.page_opened",
                "pay_in.page_saved",
                "pay_in.event_taken",
                "pay_in.reservation_told",
                "change.confirmed",
                "change.told",
                "change.settled",
            ],
            Self::Shorter | Self::PartnerShorter => &["change.applied", "change.told", "change.settled"],
            Self::Declined => {
                &["change.held", "pay_in.failure_told", "change.dropped", "change.told", "change.settled"]
            }
            Self::LongerUnheard => &["pay_in.status_learned"],
            Self::TooLate => &["refund.sent_back", "refund.paid_back", "refund.saved"],
            // The refund event and the refund query must each suffice without the other.
            Self::ShorterUnheard => &["refund.paid_back", "refund.saved"],
            Self::ShorterUnanswered => &["refund.event_taken"],
            Self::PartnerLonger => &[
                "change.held",
                "change.sale_told",
                "change.sale_amended",
                "change.confirmed",
                "change.told",
                "change.settled",
            ],
            Self::PartnerRefused => {
                &["change.held", "change.sale_told", "change.dropped", "change.told", "change.settled"]
            }
        }
    }

    /// Whether it is the change with a charge or the one with a refund, without further faults.
    pub(super) const fn is_plain(self) -> bool {
        matches!(self, Self::Longer | Self::Shorter)
    }

    /// Settings of the payment service for it.
    pub(super) const fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::LongerUnheard | Self::ShorterUnheard => &UNHEARD,
            _ => &[],
        }
    }

    const fn partner(self) -> bool {
        matches!(self, Self::PartnerLonger | Self::PartnerShorter | Self::PartnerRefused)
    }

    const fn shortens(self) -> bool {
        matches!(self, Self::Shorter | Self::ShorterUnheard | Self::ShorterUnanswered | Self::PartnerShorter)
    }

    /// A paid booking to be changed.
    pub(super) async fn book(self, shop: &Shop<'_>) -> Booked {
        let (caller, sale) = if self.partner() {
            let partner = shop.world.partner().await;
            let sold = Sale { reservation_id: shop.sell_as(&partner).await, payment: Value::Null };
            if self == Self::PartnerRefused {
                limit(&shop.world, &partner, "399.99").await;
            }
            (partner, sold)
        } else {
            let simulate = match self {
                Self::ShorterUnheard => EVENTS_LOST,
                Self::ShorterUnanswered => "refund=timeout-after",
                _ => "",
            };
            let sale = shop.open(&shop.book().await, simulate).await;
            shop.pay(&sale).await;
            (shop.guest.clone(), sale)
        };
        let check_out: Date = shop.stay.check_out.parse().expect("a date");
        let changed = check_out.saturating_add(if self.shortens() { -1 } else { 1 }.days());
        Booked { caller, sale, check_out, changed }
    }

    /// Performs the actions of the guest.
    pub(super) async fn change(self, shop: &Shop<'_>, booked: &Booked) {
        let applied = apply(booked).await;
        if self == Self::PartnerRefused {
            // The refusal, or the answer to its repeat; or the change waits for its decision.
            assert!(matches!(applied.status.as_u16(), 200 | 400 | 409), "{applied:?}");
            return;
        }
        applied.ok();
        if self.partner() || self.shortens() {
            return;
        }
        let simulate = if self == Self::LongerUnheard { EVENTS_LOST } else { "" };
        let difference = shop.open_difference(&booked.sale, simulate).await;
        match self {
            Self::Declined => assert_eq!(shop.provider.use_card(&difference.payment, DECLINED_CARD).await, 402),
            Self::TooLate => {
                shop.tell(&shop.provider.event("checkout.failed", &difference.payment).await).await;
                await_decided(shop, booked).await;
                shop.use_good_card(&difference).await;
            }
            _ => shop.use_good_card(&difference).await,
        }
    }

    /// The expected end.
    pub(super) fn end(self) -> End {
        let booking = |refunded| Checkout { amount: PRICE, paid: true, refunded };
        let night = |paid, refunded| Checkout { amount: NIGHT, paid, refunded };
        let (changed, checkouts, owed) = match self {
            Self::Longer | Self::LongerUnheard => (true, vec![booking(0), night(true, 0)], 0),
            Self::Shorter | Self::ShorterUnheard | Self::ShorterUnanswered => (true, vec![booking(NIGHT)], 0),
            Self::Declined => (false, vec![booking(0), night(false, 0)], 0),
            Self::TooLate => (false, vec![booking(0), night(true, NIGHT)], 0),
            Self::PartnerLonger => (true, vec![], PRICE + NIGHT),
            Self::PartnerShorter => (true, vec![], PRICE - NIGHT),
            Self::PartnerRefused => (false, vec![], PRICE),
        };
        End { changed, checkouts, owed }
    }
}

/// Quotes and applies the change, with retries.
async fn apply(booked: &Booked) -> Answer {
    let id = &booked.sale.reservation_id;
    let (_, request) = quote(&booked.caller, id, json!({ "check_out": booked.changed })).await;
    let path = format!("/v1/reservations/{id}:applyChange");
    booked.caller.call_until_answered(Method::POST, &path, Some(request)).await
}
