//! The persisted JSON form of a [`Quote`], in offer tokens and prices of rooms: one currency code (ISO 4217), amounts in its
//! minor units, and instants. It must not change. `reservation.price` has it without terms, see [`ForReleaseBefore`].

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize, Serializer, ser::Error};
use staymesh_domain::{
    CancellationTerms, Currency, Deadline, EarlyDeparture, Grace, Money, MoneyError, Penalty, PenaltyBase, StayDates,
};

use super::{Night, Quote, QuoteError, TaxLine, two_numbers::TwoNumbers};
use crate::calendar::day_after;

/// The JSON object.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct QuoteRecord {
    currency: String,
    nights: Vec<NightRecord>,
    subtotal_minor: i64,
    taxes: Vec<TaxRecord>,
    total_minor: i64,
    free_until_hours_before: i32,
    late_penalty_percent: i32,
    /// Absent in what releases before wrote, which have only the two numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancellation: Option<TermsRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct NightRecord {
    /// `yyyy-mm-dd`.
    date: Date,
    minor: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct TaxRecord {
    name: String,
    minor: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct TermsRecord {
    deadlines: Vec<DeadlineRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    grace: Option<GraceRecord>,
    cancel_before: Timestamp,
    no_show_minor: i64,
    no_show_from: Timestamp,
    no_show_until: Timestamp,
    /// Absent for all, as in what releases before wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    early_departure: Option<EarlyDepartureRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DeadlineRecord {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    minor: i64,
}

#[derive(Debug, Serialize, Deserialize)]
struct GraceRecord {
    hours: i32,
    booked_before: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
struct EarlyDepartureRecord {
    penalty: PenaltyRecord,
    with_taxes: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PenaltyRecord {
    None,
    BasisPoints(i32),
    Nights(i32),
    FixedMinor(i64),
    Full,
}

impl TryFrom<QuoteRecord> for Quote {
    type Error = QuoteError;

    fn try_from(record: QuoteRecord) -> Result<Self, QuoteError> {
        let currency: Currency = record.currency.parse()?;
        let money = |minor| Money::from_minor(minor, currency);
        let nights = record.nights.into_iter().map(|night| Ok(Night { date: night.date, price: money(night.minor)? }));
        let nights = nights.collect::<Result<Vec<_>, MoneyError>>()?;
        let taxes = record.taxes.into_iter().map(|tax| Ok(TaxLine { amount: money(tax.minor)?, name: tax.name }));
        let total = money(record.total_minor)?;
        let (terms, two_numbers) = if let Some(terms) = record.cancellation {
            (terms.terms(currency)?, None)
        } else {
            let (free_until_hours_before, late_penalty_percent) =
                (record.free_until_hours_before, record.late_penalty_percent);
            let numbers = TwoNumbers { free_until_hours_before, late_penalty_percent };
            (numbers.terms(stay(&nights)?, total)?, Some(numbers))
        };
        let quote = Self {
            nights,
            subtotal: money(record.subtotal_minor)?,
            taxes: taxes.collect::<Result<_, MoneyError>>()?,
            total,
            terms,
            two_numbers,
        };
        quote.require_penalties()?;
        Ok(quote)
    }
}

impl TryFrom<&Quote> for QuoteRecord {
    type Error = QuoteError;

    fn try_from(quote: &Quote) -> Result<Self, QuoteError> {
        // The JSON form has one currency: amounts in another would change their meaning unnoticed.
        let minor = |amount: Money| {
            if amount.currency() == quote.currency() { Ok(amount.minor()) } else { Err(MoneyError::CurrencyMismatch) }
        };
        let nights = quote.nights.iter().map(|night| Ok(NightRecord { date: night.date, minor: minor(night.price)? }));
        let taxes = quote.taxes.iter().map(|tax| Ok(TaxRecord { name: tax.name.clone(), minor: minor(tax.amount)? }));
        let cancellation = match quote.two_numbers {
            Some(_) => None,
            None => Some(TermsRecord::new(&quote.terms, minor)?),
        };
        let numbers = match quote.two_numbers {
            Some(numbers) => numbers,
            None => TwoNumbers::of(&quote.terms, stay(&quote.nights)?, quote.total)?,
        };
        Ok(Self {
            currency: quote.currency().code().to_owned(),
            nights: nights.collect::<Result<_, MoneyError>>()?,
            subtotal_minor: minor(quote.subtotal)?,
            taxes: taxes.collect::<Result<_, MoneyError>>()?,
            total_minor: quote.total.minor(),
            free_until_hours_before: numbers.free_until_hours_before,
            late_penalty_percent: numbers.late_penalty_percent,
            cancellation,
        })
    }
}

impl TermsRecord {
    fn new(
        terms: &CancellationTerms,
        minor: impl Fn(Money) -> Result<i64, MoneyError> + Copy,
    ) -> Result<Self, MoneyError> {
        let deadlines = terms.deadlines.iter();
        let deadlines = deadlines.map(|of| Ok(DeadlineRecord { until: of.until, minor: minor(of.penalty)? }));
        Ok(Self {
            deadlines: deadlines.collect::<Result<_, MoneyError>>()?,
            grace: terms.grace.map(|Grace { hours, booked_before }| GraceRecord { hours, booked_before }),
            cancel_before: terms.cancel_before,
            no_show_minor: minor(terms.no_show)?,
            no_show_from: terms.no_show_from,
            no_show_until: terms.no_show_until,
            early_departure: EarlyDepartureRecord::new(terms.early_departure, minor)?,
        })
    }

    fn terms(self, currency: Currency) -> Result<CancellationTerms, MoneyError> {
        let money = |minor| Money::from_minor(minor, currency);
        let deadlines = self.deadlines.into_iter();
        let deadlines = deadlines.map(|of| Ok(Deadline { until: of.until, penalty: money(of.minor)? }));
        Ok(CancellationTerms {
            deadlines: deadlines.collect::<Result<_, MoneyError>>()?,
            grace: self.grace.map(|GraceRecord { hours, booked_before }| Grace { hours, booked_before }),
            cancel_before: self.cancel_before,
            no_show: money(self.no_show_minor)?,
            no_show_from: self.no_show_from,
            no_show_until: self.no_show_until,
            early_departure: self.early_departure.map_or(Ok(EarlyDeparture::default()), |rule| rule.rule(currency))?,
        })
    }
}

impl EarlyDepartureRecord {
    fn new(rule: EarlyDeparture, minor: impl Fn(Money) -> Result<i64, MoneyError>) -> Result<Option<Self>, MoneyError> {
        if rule == EarlyDeparture::default() {
            return Ok(None);
        }
        let penalty = match rule.penalty {
            Penalty::None => PenaltyRecord::None,
            Penalty::Percent(basis_points) => PenaltyRecord::BasisPoints(basis_points),
            Penalty::Nights(nights) => PenaltyRecord::Nights(nights),
            Penalty::Fixed(amount) => PenaltyRecord::FixedMinor(minor(amount)?),
            Penalty::Full => PenaltyRecord::Full,
        };
        Ok(Some(Self { penalty, with_taxes: rule.base == PenaltyBase::WithTaxes }))
    }

    fn rule(self, currency: Currency) -> Result<EarlyDeparture, MoneyError> {
        let penalty = match self.penalty {
            PenaltyRecord::None => Penalty::None,
            PenaltyRecord::BasisPoints(basis_points) => Penalty::Percent(basis_points),
            PenaltyRecord::Nights(nights) => Penalty::Nights(nights),
            PenaltyRecord::FixedMinor(minor) => Penalty::Fixed(Money::from_minor(minor, currency)?),
            PenaltyRecord::Full => Penalty::Full,
        };
        let base = if self.with_taxes { PenaltyBase::WithTaxes } else { PenaltyBase::WithoutTaxes };
        Ok(EarlyDeparture { penalty, base })
    }
}

impl Serialize for Quote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        QuoteRecord::try_from(self).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// The price as the release before reads it: two numbers instead of terms.
pub(crate) struct ForReleaseBefore<'a>(pub(crate) &'a Quote);

impl Serialize for ForReleaseBefore<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        QuoteRecord { cancellation: None, ..QuoteRecord::try_from(self.0).map_err(S::Error::custom)? }
            .serialize(serializer)
    }
}

/// The stay that the nights are of.
pub(super) fn stay(nights: &[Night]) -> Result<StayDates, QuoteError> {
    let (first, last) = nights.first().zip(nights.last()).ok_or(QuoteError::Nights)?;
    StayDates::new(first.date, day_after(last.date)?).map_err(|_| QuoteError::Nights)
}
