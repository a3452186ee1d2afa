//! Exact amounts of money: integer minor units with their currency, never floating point.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};

use crate::FieldError;

/// Why an amount is invalid, or a calculation impossible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not the code of a currency in which a room can be paid.
    #[error("must be an ISO 4217 code of a currency in use, such as EUR")]
    Currency,
    /// Not digits with at most one point between them.
    #[error("must be a decimal number such as 120.50, without sign, exponent or spaces")]
    Amount,
    /// More decimals than the currency has.
    #[error("must have at most {} decimals for {currency}", currency.decimals())]
    Decimals {
        /// The currency of the amount.
        currency: Currency,
    },
    /// Beyond [`Money::MAX_MINOR`], in either direction.
    #[error("is too large")]
    TooLarge,
    /// Amounts in different currencies in one calculation.
    #[error("cannot be combined with an amount in another currency")]
    CurrencyMismatch,
}

impl MoneyError {
    /// This error, reported for the `currency_code` or the `amount` of the `staymesh.type.v1.Money` in `field`.
    pub fn at(&self, field: &str) -> FieldError {
        let part = if matches!(self, Self::Currency | Self::CurrencyMismatch) { "currency_code" } else { "amount" };
        FieldError::new(format!("{field}.{part}"), self.to_string())
    }
}

/// A currency of ISO 4217 with minor units. Precious metals, funds and test codes are not included.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    iso: iso_currency::Currency,
    decimals: u16,
}

impl Currency {
    /// The ISO 4217 code, three capital letters.
    pub fn code(self) -> &'static str {
        self.iso.code()
    }

    /// Number of decimals (the exponent of ISO 4217): 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn decimals(self) -> u32 {
        self.decimals.into()
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code)
            .filter(|currency| !currency.is_fund() && !currency.is_special())
            .and_then(|iso| Some(Self { iso, decimals: iso.exponent()? }))
            .ok_or(MoneyError::Currency)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An exact amount in the minor units of its currency: 12050 for EUR 120.50.
///
/// Negative amounts exist for refunds and ledger entries; [`Money::parse`] does not accept them. `Display` is for logs; the
/// contract carries [`Money::amount`] and [`Currency::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// The largest absolute amount, in minor units. Below 2^53, so that readers with double-precision numbers get it right,
    /// and far enough below `i64::MAX` that the database can add up thousands of amounts.
    pub const MAX_MINOR: i64 = 999_999_999_999_999;

    /// An amount in minor units, positive or negative.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`] beyond [`Self::MAX_MINOR`] in either direction.
    pub fn from_minor(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if (-Self::MAX_MINOR..=Self::MAX_MINOR).contains(&minor) {
            Ok(Self { minor, currency })
        } else {
            Err(MoneyError::TooLarge)
        }
    }

    /// Zero in this currency.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Parses a currency code and a decimal amount in major units with at most the currency's decimals.
    ///
    /// # Errors
    /// Every [`MoneyError`] except [`MoneyError::CurrencyMismatch`].
    pub fn parse(currency_code: &str, amount: &str) -> Result<Self, MoneyError> {
        let currency: Currency = currency_code.parse()?;
        let (whole, fraction) = match amount.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(MoneyError::Amount),
            None => (amount, ""),
        };
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || (whole.len() > 1 && whole.starts_with('0')) {
            return Err(MoneyError::Amount);
        }
        let decimals = currency.decimals() as usize;
        if fraction.len() > decimals {
            return Err(MoneyError::Decimals { currency });
        }
        // More digits exceed MAX_MINOR.
        if whole.len() > 16 {
            return Err(MoneyError::TooLarge);
        }
        let padded = format!("{whole}{fraction:0<decimals$}");
        let minor = padded.parse().map_err(|_| MoneyError::TooLarge)?;
        Self::from_minor(minor, currency)
    }

    /// The amount in minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency of the amount.
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The amount in major units as decimal text, with exactly the currency's decimals: `120.50`, `12000` for JPY.
    pub fn amount(self) -> String {
        Decimal::new(self.minor, self.currency.decimals()).to_string()
    }

    /// Whether the amount is less than zero.
    pub const fn is_negative(self) -> bool {
        self.minor < 0
    }

    /// The sum of two amounts of one currency.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.with(other, i64::checked_add)
    }

    /// The difference of two amounts of one currency; may be negative.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.with(other, i64::checked_sub)
    }

    /// The amount multiplied by a number of nights, rooms or guests.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn checked_mul(self, times: i32) -> Result<Self, MoneyError> {
        let minor = self.minor.checked_mul(times.into()).ok_or(MoneyError::TooLarge)?;
        Self::from_minor(minor, self.currency)
    }

    /// A share of the amount in basis points (hundredths of a percent): 750 is 7.5 %.
    ///
    /// Rounds to the minor unit, half to even (banker's rounding, the default of IEEE 754), so that rounding errors do not
    /// accumulate in one direction.
    ///
    /// # Errors
    /// [`MoneyError::TooLarge`].
    pub fn percent_basis_points(self, basis_points: i32) -> Result<Self, MoneyError> {
        // At most 15 + 10 digits, which a Decimal (28 digits) holds exactly before it is rounded.
        let exact = Decimal::from(self.minor) * Decimal::new(basis_points.into(), 4);
        let rounded = exact.round_dp_with_strategy(0, RoundingStrategy::MidpointNearestEven);
        let minor = i64::try_from(rounded).map_err(|_| MoneyError::TooLarge)?;
        Self::from_minor(minor, self.currency)
    }

    /// What this amount is of `part` if it is of `whole`: the amount times `part` / `whole`, rounded to the minor unit, half to
    /// even. All of it if the whole is zero.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn in_proportion(self, part: Self, whole: Self) -> Result<Self, MoneyError> {
        if part.currency != whole.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let (product, whole) = (i128::from(self.minor) * i128::from(part.minor), i128::from(whole.minor));
        let (Some(floor), Some(rest)) = (product.checked_div_euclid(whole), product.checked_rem_euclid(whole)) else {
            return Ok(self);
        };
        let up = match (rest * 2).cmp(&whole.abs()) {
            Ordering::Less => 0,
            Ordering::Equal => floor.rem_euclid(2),
            Ordering::Greater => 1,
        };
        let step = up * whole.signum();
        let minor = i64::try_from(floor + step).map_err(|_| MoneyError::TooLarge)?;
        Self::from_minor(minor, self.currency)
    }

    /// The sum of many amounts of `currency`; zero without amounts.
    ///
    /// # Errors
    /// [`MoneyError::CurrencyMismatch`] or [`MoneyError::TooLarge`].
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::checked_add)
    }

    fn with(self, other: Self, op: fn(i64, i64) -> Option<i64>) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let minor = op(self.minor, other.minor).ok_or(MoneyError::TooLarge)?;
        Self::from_minor(minor, self.currency)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.amount())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn money(code: &str, minor: i64) -> Money {
        Money::from_minor(minor, currency(code)).unwrap()
    }

    #[test]
    fn amount_has_the_decimals_of_its_currency() {
        for (code, amount, minor) in [
            ("EUR", "120.50", 12_050),
            ("EUR", "120.5", 12_050),
            ("EUR", "120", 12_000),
            ("EUR", "0.01", 1),
            ("JPY", "12000", 12_000),
            ("KWD", "1.234", 1_234),
            ("EUR", "9999999999999.99", Money::MAX_MINOR),
        ] {
            assert_eq!(Money::parse(code, amount), Ok(money(code, minor)), "{code} {amount}");
        }
        assert_eq!(money("EUR", 12_050).amount(), "120.50");
        assert_eq!(money("EUR", -5).amount(), "-0.05");
        assert_eq!(money("JPY", 12_000).to_string(), "JPY 12000");
        assert_eq!(money("KWD", 0).amount(), "0.000");
    }

    #[test]
    fn parse_accepts_plain_decimals_only() {
        for amount in [
            "", ".", "1.", ".5", "-1", "+1", "1e3", " 1", "1 ", "1,5", "1_000", "0x1", "NaN", "inf", "١", "1.2.3",
            "01", "1\0",
        ] {
            assert_eq!(Money::parse("EUR", amount), Err(MoneyError::Amount), "{amount:?}");
        }
        assert_eq!(Money::parse("EUR", "1.234"), Err(MoneyError::Decimals { currency: currency("EUR") }));
        assert_eq!(Money::parse("JPY", "1.0"), Err(MoneyError::Decimals { currency: currency("JPY") }));
        for amount in ["10000000000000.00", "99999999999999999", &"9".repeat(100_000)] {
            assert_eq!(Money::parse("EUR", amount), Err(MoneyError::TooLarge), "{} digits", amount.len());
        }
    }

    #[test]
    fn funds_metals_and_test_codes_are_no_currency() {
        for code in ["", "eur", "EURO", "XXX", "XTS", "XAU", "XDR", "BOV", "CLF", "CHE", "ZZZ", "978", "€"] {
            assert_eq!(code.parse::<Currency>(), Err(MoneyError::Currency), "{code}");
        }
    }

    #[test]
    fn at_names_currency_code_or_amount() {
        assert_eq!(Money::parse("XXX", "1").unwrap_err().at("base_price").field, "base_price.currency_code");
        let decimals = Money::parse("JPY", "1.5").unwrap_err().at("base_price");
        assert_eq!(decimals, FieldError::new("base_price.amount", "must have at most 0 decimals for JPY"));
    }

    #[test]
    fn proportion_rounds_half_to_even_and_is_all_of_nothing() {
        let of = |minor, part, whole| {
            let euros = |minor| money("EUR", minor);
            euros(minor).in_proportion(euros(part), euros(whole)).unwrap().minor()
        };
        assert_eq!([of(1_661, 1, 2), of(1_663, 1, 2), of(-5, 1, 2), of(-7, 1, 2)], [830, 832, -2, -4]);
        assert_eq!([of(3_200, 32_000, 32_000), of(100, 1, 3), of(100, 2, 3), of(700, 0, 0)], [3_200, 33, 67, 700]);
        let dollars = money("USD", 1);
        assert_eq!(dollars.in_proportion(dollars, money("EUR", 1)), Err(MoneyError::CurrencyMismatch));
    }

    #[test]
    fn percent_rounds_half_to_even() {
        for (minor, basis_points, expected) in [
            (12_050, 750, 904), // 903.75
            (50, 100, 0),       // 0.5
            (150, 100, 2),      // 1.5
            (250, 100, 2),      // 2.5
            (-150, 100, -2),    // -1.5
            (100, -1_000, -10),
            (12_050, 10_000, 12_050),
            (12_050, 0, 0),
        ] {
            assert_eq!(money("EUR", minor).percent_basis_points(basis_points), Ok(money("EUR", expected)), "{minor}");
        }
    }

    #[test]
    fn calculation_with_two_currencies_is_refused() {
        assert_eq!(money("EUR", 1).checked_add(money("USD", 1)), Err(MoneyError::CurrencyMismatch));
        assert_eq!(Money::sum(currency("EUR"), [money("USD", 1)]), Err(MoneyError::CurrencyMismatch));
        assert_eq!(Money::sum(currency("EUR"), []), Ok(Money::zero(currency("EUR"))));
    }

    fn any_currency() -> impl Strategy<Value = Currency> {
        prop::sample::select(vec!["EUR", "USD", "JPY", "KWD", "ISK", "TND"]).prop_map(currency)
    }

    fn any_minor() -> impl Strategy<Value = i64> {
        -Money::MAX_MINOR..=Money::MAX_MINOR
    }

    proptest! {
        #[test]
        fn amount_and_parse_round_trip(currency in any_currency(), minor in 0..=Money::MAX_MINOR) {
            let money = Money::from_minor(minor, currency).unwrap();
            prop_assert_eq!(Money::parse(currency.code(), &money.amount()), Ok(money));
        }

        #[test]
        fn addition_is_commutative_and_associative(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000, c in -1_000_000_000_i64..1_000_000_000) {
            let (a, b, c) = (money("EUR", a), money("EUR", b), money("EUR", c));
            let left = a.checked_add(b).unwrap().checked_add(c).unwrap();
            let right = a.checked_add(b.checked_add(c).unwrap()).unwrap();
            prop_assert_eq!(left, right);
            prop_assert_eq!(left.checked_sub(c).unwrap().checked_sub(b).unwrap(), a);
        }

        #[test]
        fn arithmetic_never_panics(a in any_minor(), b in any_minor(), times in any::<i32>()) {
            let (a, b) = (money("EUR", a), money("EUR", b));
            for result in [a.checked_add(b), a.checked_sub(b), a.checked_mul(times), a.percent_basis_points(times)] {
                match result {
                    Ok(money) => prop_assert!(money.minor().abs() <= Money::MAX_MINOR),
                    Err(error) => prop_assert_eq!(error, MoneyError::TooLarge),
                }
            }
        }

        #[test]
        fn multiplication_equals_repeated_addition(minor in -1_000_000..1_000_000_i64, times in 0..90_i32) {
            let one = money("EUR", minor);
            let added = Money::sum(currency("EUR"), (0..times).map(|_| one));
            prop_assert_eq!(one.checked_mul(times), added);
        }

        #[test]
        fn percent_is_within_half_a_minor_unit(minor in any_minor(), basis_points in 0..=10_000_i32) {
            let share = money("EUR", minor).percent_basis_points(basis_points).unwrap();
            let error = i128::from(share.minor()) * 10_000 - i128::from(minor) * i128::from(basis_points);
            prop_assert!(error.abs() <= 5_000);
        }

        #[test]
        fn parse_never_panics(code in ".{0,4}", amount in ".*") {
            let _ = Money::parse(&code, &amount);
        }
    }
}
