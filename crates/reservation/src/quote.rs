//! The price of a stay as it is signed into an offer and kept with the booking.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};
use staymesh_api::rate::v1 as proto;
use staymesh_domain::{Currency, Money, MoneyError, StayDates};
use staymesh_mesh::proto_types;

/// Price, taxes and cancellation policy of a stay. All amounts are in minor units of one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// ISO 4217 code.
    pub currency: String,
    /// One room, night by night.
    pub nights: Vec<Night>,
    /// All nights and rooms, before taxes.
    pub subtotal_minor: i64,
    /// Taxes and fees for the whole stay.
    pub taxes: Vec<TaxLine>,
    /// All that is to be paid.
    pub total_minor: i64,
    /// Until so many hours before 00:00 UTC of the check-in date cancelling is free.
    pub free_until_hours_before: i32,
    /// After that, this share of the total is kept, in per cent.
    pub late_penalty_percent: i32,
}

/// One night of one room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Night {
    /// The date of the night, `yyyy-mm-dd`.
    pub date: String,
    /// Its price.
    pub minor: i64,
}

/// A tax or fee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxLine {
    /// Its name on the bill.
    pub name: String,
    /// For the whole stay and all rooms.
    pub minor: i64,
}

/// What is wrong with a price.
#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    /// An amount cannot be read, or its currency is not that of the total.
    #[error("the amount of {0} cannot be used")]
    Amount(&'static str),
    /// The parts do not add up to the whole.
    #[error("nights and taxes do not add up to the total")]
    Sum,
    /// Arithmetic went out of bounds.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Quote {
    /// What the rate service said, checked: one currency, and parts that add up to the whole.
    ///
    /// # Errors
    /// When they do not.
    pub fn from_proto(price: &proto::StayPrice, rooms: i32) -> Result<Self, QuoteError> {
        let total = proto_types::money_from(price.total.as_ref(), "total").map_err(|_| QuoteError::Amount("total"))?;
        let currency = total.currency();
        let minor = |money: Option<&staymesh_api::r#type::v1::Money>, what: &'static str| {
            proto_types::money_from(money, what)
                .ok()
                .filter(|money| money.currency() == currency && !money.is_negative())
                .map(Money::minor)
                .ok_or(QuoteError::Amount(what))
        };
        let nights = price
            .nights
            .iter()
            .map(|night| Ok(Night { date: night.stay_date.clone(), minor: minor(night.price.as_ref(), "night")? }))
            .collect::<Result<Vec<_>, QuoteError>>()?;
        let taxes = price
            .taxes
            .iter()
            .map(|tax| Ok(TaxLine { name: tax.display_name.clone(), minor: minor(tax.amount.as_ref(), "tax")? }))
            .collect::<Result<Vec<_>, QuoteError>>()?;
        let policy = price.cancellation_policy.unwrap_or_default();
        let quote = Self {
            currency: currency.code().to_owned(),
            nights,
            subtotal_minor: minor(price.subtotal.as_ref(), "subtotal")?,
            taxes,
            total_minor: minor(price.total.as_ref(), "total")?,
            free_until_hours_before: policy.free_until_hours_before,
            late_penalty_percent: policy.late_penalty_percent,
        };
        quote.require_sums(currency, rooms)?;
        Ok(quote)
    }

    fn require_sums(&self, currency: Currency, rooms: i32) -> Result<(), QuoteError> {
        let money = |minor| Money::from_minor(minor, currency);
        let nights = self.nights.iter().map(|n| money(n.minor)).collect::<Result<Vec<_>, _>>()?;
        let taxes = self.taxes.iter().map(|t| money(t.minor)).collect::<Result<Vec<_>, _>>()?;
        let subtotal = Money::sum(currency, nights)?.checked_mul(rooms)?;
        let total = subtotal.checked_add(Money::sum(currency, taxes)?)?;
        if subtotal.minor() == self.subtotal_minor && total.minor() == self.total_minor {
            return Ok(());
        }
        Err(QuoteError::Sum)
    }

    /// The price for the wire.
    ///
    /// # Errors
    /// When the currency is not one any more.
    pub fn to_proto(&self, room_type_id: i32) -> Result<proto::StayPrice, QuoteError> {
        let currency: Currency = self.currency.parse()?;
        let money = |minor| Money::from_minor(minor, currency).map(proto_types::money);
        Ok(proto::StayPrice {
            room_type_id,
            nights: self
                .nights
                .iter()
                .map(|n| Ok(proto::NightPrice { stay_date: n.date.clone(), price: Some(money(n.minor)?) }))
                .collect::<Result<_, MoneyError>>()?,
            subtotal: Some(money(self.subtotal_minor)?),
            taxes: self
                .taxes
                .iter()
                .map(|t| Ok(proto::TaxAmount { display_name: t.name.clone(), amount: Some(money(t.minor)?) }))
                .collect::<Result<_, MoneyError>>()?,
            total: Some(money(self.total_minor)?),
            cancellation_policy: Some(proto::CancellationPolicy {
                free_until_hours_before: self.free_until_hours_before,
                late_penalty_percent: self.late_penalty_percent,
            }),
        })
    }

    /// All that is to be paid.
    ///
    /// # Errors
    /// When the currency is not one any more.
    pub fn total(&self) -> Result<Money, MoneyError> {
        Money::from_minor(self.total_minor, self.currency.parse()?)
    }

    /// The taxes and fees in the total.
    ///
    /// # Errors
    /// When the currency is not one any more, or they are too many.
    pub fn tax(&self) -> Result<Money, MoneyError> {
        let currency: Currency = self.currency.parse()?;
        let taxes = self.taxes.iter().map(|tax| Money::from_minor(tax.minor, currency));
        Money::sum(currency, taxes.collect::<Result<Vec<_>, _>>()?)
    }

    /// What a guest gets back who paid the total and cancels at `now`.
    ///
    /// # Errors
    /// When the currency is not one any more.
    pub fn refund(&self, stay: StayDates, now: Timestamp) -> Result<Money, MoneyError> {
        let free = SignedDuration::from_hours(self.free_until_hours_before.into());
        let free_until = stay.check_in().to_zoned(TimeZone::UTC).ok().map(|start| start.timestamp() - free);
        if free_until.is_some_and(|until| now <= until) {
            return self.total();
        }
        self.late_refund()
    }

    /// What goes back when it is too late for the whole, as when nobody ever came: all but the penalty.
    ///
    /// # Errors
    /// When the currency is not one any more.
    pub fn late_refund(&self) -> Result<Money, MoneyError> {
        let total = self.total()?;
        total.checked_sub(total.percent_basis_points(self.late_penalty_percent * 100)?)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn quote(total_minor: i64) -> Quote {
        Quote {
            currency: "EUR".into(),
            nights: vec![Night { date: "2030-01-01".into(), minor: total_minor }],
            subtotal_minor: total_minor,
            taxes: vec![],
            total_minor,
            free_until_hours_before: 48,
            late_penalty_percent: 30,
        }
    }

    fn stay() -> StayDates {
        StayDates::parse("2030-01-01", "2030-01-02").expect("a stay")
    }

    #[test]
    fn cancelling_is_free_until_the_hour_and_costs_the_penalty_after_it() {
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        let refund = |now| quote(10_001).refund(stay(), at(now)).expect("a refund").minor();
        assert_eq!(refund("2029-12-30T00:00:00Z"), 10_001);
        assert_eq!(refund("2029-12-30T00:00:01Z"), 7_001);
        assert_eq!(refund("2031-01-01T00:00:00Z"), 7_001);
    }

    #[test]
    fn a_price_whose_parts_do_not_add_up_is_refused() {
        let mut price = quote(10_000).to_proto(7).expect("a price");
        assert_eq!(Quote::from_proto(&price, 1).expect("adds up"), quote(10_000));
        assert!(matches!(Quote::from_proto(&price, 2), Err(QuoteError::Sum)));
        price.total = Some(staymesh_api::r#type::v1::Money { currency_code: "USD".into(), amount: "100.00".into() });
        assert!(matches!(Quote::from_proto(&price, 1), Err(QuoteError::Amount("night"))));
    }

    proptest! {
        #[test]
        fn a_refund_is_never_negative_and_never_more_than_was_paid(
            total in 0..=1_000_000_000i64, hours in 0..=8_760i32, penalty in 0..=100i32, now in 1_700_000_000..2_000_000_000i64,
        ) {
            let quote = Quote { free_until_hours_before: hours, late_penalty_percent: penalty, ..quote(total) };
            let now = Timestamp::from_second(now).expect("a time");
            let refund = quote.refund(stay(), now).expect("a refund").minor();
            prop_assert!((0..=total).contains(&refund));
            // Who never comes gets what who cancels too late gets, whenever that is.
            let late = quote.late_refund().expect("a refund").minor();
            prop_assert!(refund == total || refund == late);
            prop_assert!((total - late - total * i64::from(penalty) / 100).abs() <= 1);
        }
    }
}
