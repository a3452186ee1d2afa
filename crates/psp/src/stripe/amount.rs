//! Conversion between [`Money`] and Stripe's amounts (<https://docs.stripe.com/currencies>).
//!
//! Both count minor units, but Stripe deviates from ISO 4217 in the number of decimals of some currencies, and accepts
//! only multiples of a step in others.

use staymesh_domain::{Currency, Money};

use crate::PspError;

/// Zero decimals at Stripe.
const ZERO_DECIMALS: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Zero decimals in ISO 4217; two at Stripe, which must be zero.
const TWO_ZERO_DECIMALS: [&str; 2] = ["ISK", "UGX"];
/// Three decimals, the last of which must be zero.
const THREE_DECIMALS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// The decimals of a currency at Stripe, and the step of which every amount is a multiple; `None` if Stripe does not
/// support the currency.
fn rule(currency: Currency) -> Option<(u32, i64)> {
    match currency.code() {
        code if ZERO_DECIMALS.contains(&code) => Some((0, 1)),
        code if TWO_ZERO_DECIMALS.contains(&code) => Some((2, 100)),
        code if THREE_DECIMALS.contains(&code) => Some((3, 10)),
        _ if currency.decimals() == 2 => Some((2, 1)),
        // Iraqi and Libyan dinars, for example.
        _ => None,
    }
}

/// The amount in Stripe's units, never rounded.
///
/// # Errors
/// [`PspError::UnsupportedAmount`] when Stripe cannot represent it.
pub(super) fn to_stripe(money: Money) -> Result<i64, PspError> {
    let (decimals, step) = rule(money.currency())
        .ok_or(PspError::UnsupportedAmount("the payment provider does not support this currency"))?;
    let steps = PspError::UnsupportedAmount(match step {
        10 => "the payment provider supports this currency only in amounts whose third decimal is 0",
        _ => "the payment provider supports this currency only in whole units",
    });
    let amount = rescale(money.minor(), money.currency().decimals(), decimals).ok_or(steps.clone())?;
    if amount % step == 0 { Ok(amount) } else { Err(steps) }
}

/// Stripe's amount and lower-case currency code as [`Money`]; `None` when it is not an amount of that currency.
pub(super) fn from_stripe(amount: i64, currency: &str) -> Option<Money> {
    if currency.len() != 3 {
        return None;
    }
    let currency: Currency = currency.to_ascii_uppercase().parse().ok()?;
    let (decimals, _) = rule(currency)?;
    Money::from_minor(rescale(amount, decimals, currency.decimals())?, currency).ok()
}

/// The number with `to` instead of `from` decimals; `None` when it overflows or would be rounded.
fn rescale(number: i64, from: u32, to: u32) -> Option<i64> {
    if to >= from {
        return number.checked_mul(10_i64.checked_pow(to - from)?);
    }
    let factor = 10_i64.checked_pow(from - to)?;
    (number % factor == 0).then_some(number / factor)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(code: &str, minor: i64) -> Money {
        Money::from_minor(minor, code.parse().unwrap()).unwrap()
    }

    #[test]
    fn to_stripe_uses_stripe_decimals_and_from_stripe_reverses_it() {
        for (code, minor, expected) in [
            ("EUR", 12_050, 12_050),
            ("HUF", 1_045, 1_045),
            ("TWD", 80_045, 80_045),
            ("JPY", 500, 500),
            ("KRW", 500, 500),
            // 5 krónur and 5 shillings are 500.
            ("ISK", 5, 500),
            ("UGX", 5, 500),
            // Five ariary are 500 here and 5 there.
            ("MGA", 500, 5),
            ("KWD", 5_120, 5_120),
            ("TND", 10, 10),
        ] {
            let money = money(code, minor);
            assert_eq!(to_stripe(money), Ok(expected), "{money}");
            assert_eq!(from_stripe(expected, &code.to_ascii_lowercase()), Some(money));
        }
    }

    #[test]
    fn to_stripe_refuses_unsupported_amounts_without_rounding() {
        for (code, minor, part) in [
            ("KWD", 5_124, "third decimal"),
            ("BHD", 1, "third decimal"),
            ("JOD", 10_005, "third decimal"),
            ("MGA", 510, "whole units"),
            ("IQD", 5_000, "this currency"),
            ("LYD", 5_120, "this currency"),
        ] {
            let Err(PspError::UnsupportedAmount(why)) = to_stripe(money(code, minor)) else { panic!("{code} {minor}") };
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn from_stripe_of_invalid_amount_is_none() {
        for (amount, currency) in
            [(150, "isk"), (1, "xxx"), (1, ""), (1, "euro"), (1, "€"), (i64::MAX, "eur"), (i64::MAX, "mga"), (5, "iqd")]
        {
            assert_eq!(from_stripe(amount, currency), None, "{amount} {currency}");
        }
    }

    proptest! {
        #[test]
        fn conversion_round_trips(
            code in prop::sample::select(vec!["EUR", "JPY", "ISK", "UGX", "MGA", "KWD", "OMR", "VND", "IQD"]),
            minor in 0..=Money::MAX_MINOR,
        ) {
            let money = money(code, minor);
            if let Ok(amount) = to_stripe(money) {
                prop_assert_eq!(from_stripe(amount, &code.to_ascii_lowercase()), Some(money));
            }
        }

        #[test]
        fn from_stripe_of_arbitrary_input_does_not_panic(amount in any::<i64>(), currency in ".{0,4}") {
            let _ = from_stripe(amount, &currency);
        }
    }
}
