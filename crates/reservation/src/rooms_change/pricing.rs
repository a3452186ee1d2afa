//! What a room costs after a change, and what is kept of the nights that it drops.
//!
//! A room that keeps its type, plan and party keeps the booked price of the nights that it keeps; its new nights cost what
//! they cost today, with the taxes that they add to a stay of today. Any other room costs what it costs today.
//!
//! What is given up is cancelled by the room's own terms of that moment, in proportion to its price: of a room whose
//! cancellation would keep a half, a dropped night keeps the half of its price. A room that becomes cheaper for another
//! reason than fewer nights gives up the difference, or a stay that is not refundable could be refunded by moving it to a
//! cheaper room. Hotel staff who reprice a reservation give the difference back.

use jiff::Timestamp;
use staymesh_domain::{CancellationTerms, Money, MoneyError, Party, RoomTypeId, StayDates};

use crate::{
    quote::{Quote, QuoteError, TaxLine},
    room_line::RoomLine,
};

/// Which rooms get prices of today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reprice {
    /// Those with other terms, except for nights that they keep.
    Changed,
    /// All.
    All,
}

/// A room as it is booked.
pub(crate) struct BookedRoom<'a> {
    pub(crate) line: &'a RoomLine,
    /// When the reservation was made.
    pub(crate) booked: Timestamp,
}

/// Prices of today for a room with its new type.
pub(crate) struct TodayPrices {
    /// Of all its nights after the change.
    pub(crate) whole: Quote,
    /// Of the nights that it keeps, if there are others.
    pub(crate) kept: Option<Quote>,
}

/// What a room costs after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PricedRoom {
    pub(crate) quote: Quote,
    /// What is kept of the nights that it dropped.
    pub(crate) penalty: Money,
}

/// The nights that two stays have in common.
pub(crate) fn kept_nights(before: StayDates, after: StayDates) -> Option<StayDates> {
    let check_in = before.check_in().max(after.check_in());
    StayDates::new(check_in, before.check_out().min(after.check_out())).ok()
}

impl BookedRoom<'_> {
    /// What is kept if the whole room is dropped at `now`.
    pub(crate) fn penalty(&self, now: Timestamp) -> Money {
        self.line.quote.terms.penalty_at(self.booked, now)
    }

    /// The price of the room when it becomes `after` at `now`: its type, its nights and its party.
    ///
    /// # Errors
    /// When currencies differ or a sum is out of range.
    pub(crate) fn priced(
        &self,
        (room_type_id, stay, party): (RoomTypeId, StayDates, &Party),
        today: &TodayPrices,
        reprice: Reprice,
        now: Timestamp,
    ) -> Result<PricedRoom, QuoteError> {
        let before = self.line;
        let terms = today.whole.terms.clone().with_grace_resolved(self.booked);
        let Some(kept) = kept_nights(before.stay, stay) else {
            return Ok(PricedRoom { quote: Quote { terms, ..today.whole.clone() }, penalty: self.penalty(now) });
        };
        let paid = part_of(&before.quote, kept)?;
        let same_terms = (before.room_type_id, &before.party) == (room_type_id, party);
        let (quote, paid_total, difference) = if same_terms && reprice == Reprice::Changed {
            let total = paid.total;
            (extended(paid.clone(), today, kept)?, total, Money::zero(total.currency()))
        } else {
            let now_costs = part_of(&today.whole, kept)?.total;
            let cheaper = paid.total.checked_sub(now_costs)?;
            let cheaper = if cheaper.is_negative() { Money::zero(cheaper.currency()) } else { cheaper };
            let given_up = if reprice == Reprice::All { Money::zero(cheaper.currency()) } else { cheaper };
            (today.whole.clone(), paid.total.checked_sub(cheaper)?, given_up)
        };
        let given_up = before.quote.total.checked_sub(paid.total)?.checked_add(difference)?;
        let penalty = self.penalty(now).in_proportion(given_up, before.quote.total)?;
        let terms = self.stricter(&terms, &quote, paid_total, today.whole.total)?;
        Ok(PricedRoom { quote: Quote { terms, ..quote }, penalty })
    }

    /// The price of the room with more nights at the end, which cost `added` as a stay of their own.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn extended_by(&self, added: &Quote) -> Result<Quote, QuoteError> {
        let before = &self.line.quote;
        let of_added = added.terms.clone().with_grace_resolved(self.booked);
        let terms = before.terms.clone().with_grace_resolved(self.booked).together(&of_added)?;
        let mut quote = Quote::together(before, [added])?;
        quote.nights.extend(added.nights.iter().cloned());
        Ok(Quote { terms, two_numbers: None, ..quote })
    }

    /// The price of the room when its guests have slept in it and move to another, which costs `other`. If that is cheaper,
    /// the difference is given up by the room's terms, unless hotel staff reprice.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn moved_from(
        &self,
        slept: StayDates,
        other: &Quote,
        reprice: Reprice,
        now: Timestamp,
    ) -> Result<PricedRoom, QuoteError> {
        let before = &self.line.quote;
        let quote = self.left_early(slept)?.quote;
        let cheaper = before.total.checked_sub(quote.total)?.checked_sub(other.total)?;
        let none = Money::zero(cheaper.currency());
        let given_up = if cheaper.is_negative() || reprice == Reprice::All { none } else { cheaper };
        let penalty = self.penalty(now).in_proportion(given_up, before.total)?;
        Ok(PricedRoom { quote, penalty })
    }

    /// The price of the room when its guests leave early, with only the nights of `slept`: of the others is kept what the
    /// room's own rule for an early departure says.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn left_early(&self, slept: StayDates) -> Result<PricedRoom, QuoteError> {
        let before = &self.line.quote;
        let quote = part_of(before, slept)?;
        let left = before.nights.iter().filter(|night| night.date >= slept.check_out());
        let left: Vec<Money> = left.map(|night| night.price).collect();
        let penalty = before.terms.early_departure.kept(&left, before.total.checked_sub(quote.total)?)?;
        let terms = before.terms.clone().with_grace_resolved(self.booked).in_proportion(quote.total, before.total)?;
        Ok(PricedRoom { quote: Quote { terms, two_numbers: None, ..quote }, penalty })
    }

    /// What is kept of the room when its guests, who are in another one, leave before they enter it: what its own rule for an
    /// early departure says of all its nights.
    ///
    /// # Errors
    /// When a sum is out of range.
    pub(crate) fn never_entered(&self) -> Result<Money, QuoteError> {
        let quote = &self.line.quote;
        let nights: Vec<Money> = quote.nights.iter().map(|night| night.price).collect();
        Ok(quote.terms.early_departure.kept(&nights, quote.total)?)
    }

    /// The terms of today, `of_today` for a stay that costs `today`, for one that costs `quote`. For `paid` of it, which was
    /// booked before, they keep at least what the terms of the booking keep.
    fn stricter(
        &self,
        of_today: &CancellationTerms,
        quote: &Quote,
        paid: Money,
        today: Money,
    ) -> Result<CancellationTerms, MoneyError> {
        let booked = &self.line.quote;
        let before = booked.terms.clone().with_grace_resolved(self.booked).in_proportion(paid, booked.total)?;
        let of_paid = of_today.in_proportion(paid, today)?.at_least(&before)?;
        of_paid.together(&of_today.in_proportion(quote.total.checked_sub(paid)?, today)?)
    }
}

/// The price of some of the nights of a stay. Taxes are shared in proportion to the price of the nights, or to their number if
/// all are free.
fn part_of(quote: &Quote, stay: StayDates) -> Result<Quote, QuoteError> {
    let currency = quote.currency();
    let is_part = |night: &&crate::quote::Night| (stay.check_in()..stay.check_out()).contains(&night.date);
    let nights: Vec<_> = quote.nights.iter().filter(is_part).cloned().collect();
    if nights.len() == quote.nights.len() {
        return Ok(quote.clone());
    }
    let subtotal = Money::sum(currency, nights.iter().map(|night| night.price))?;
    let one = Money::from_minor(1, currency)?;
    let count = |nights: &[crate::quote::Night]| Money::sum(currency, nights.iter().map(|_| one));
    let (part, whole) = match quote.subtotal.minor() {
        0 => (count(&nights)?, count(&quote.nights)?),
        _ => (subtotal, quote.subtotal),
    };
    let share = |tax: &TaxLine| Ok(TaxLine { name: tax.name.clone(), amount: tax.amount.in_proportion(part, whole)? });
    let taxes = quote.taxes.iter().map(share).collect::<Result<Vec<_>, MoneyError>>()?;
    summed(Quote { nights, subtotal, taxes, ..quote.clone() })
}

/// The booked price of the nights `kept` with the other nights of today, and the taxes that those add to a stay of today.
fn extended(paid: Quote, today: &TodayPrices, kept: StayDates) -> Result<Quote, QuoteError> {
    let Some(of_kept) = &today.kept else { return Ok(Quote { two_numbers: None, ..paid }) };
    let mut quote = paid;
    let added = today.whole.nights.iter().filter(|night| !(kept.check_in()..kept.check_out()).contains(&night.date));
    quote.nights.extend(added.cloned());
    quote.nights.sort_by_key(|night| night.date);
    quote.subtotal = Money::sum(quote.currency(), quote.nights.iter().map(|night| night.price))?;
    for tax in &today.whole.taxes {
        let same = |known: &&TaxLine| known.name == tax.name;
        let of_kept = of_kept.taxes.iter().find(same).map(|known| known.amount);
        let more = of_kept.map_or(Ok(tax.amount), |known| tax.amount.checked_sub(known))?;
        if more.is_negative() {
            continue;
        }
        match quote.taxes.iter_mut().find(|known| known.name == tax.name) {
            Some(known) => known.amount = known.amount.checked_add(more)?,
            None => quote.taxes.push(TaxLine { name: tax.name.clone(), amount: more }),
        }
    }
    summed(quote)
}

/// The price with the total of its parts.
fn summed(quote: Quote) -> Result<Quote, QuoteError> {
    let total = quote.subtotal.checked_add(quote.tax()?)?;
    Ok(Quote { total, two_numbers: None, ..quote })
}
