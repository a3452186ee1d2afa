//! Amounts as Stripe writes them.
//!
//! Stripe counts in the smallest unit of a currency, as we do, but not by ISO 4217 alone: some currencies have the
//! decimals they had when Stripe began with them, and some amounts exist that no card network takes.

use staymesh_domain::{Currency, Money};

use crate::psp::PspError;

/// Without decimals at Stripe.
const WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Without decimals everywhere else; at Stripe with two that are always zero.
const WHOLE_WITH_TWO_ZEROS: [&str; 2] = ["ISK", "UGX"];
/// With three decimals, of which the last must be zero.
const THREE: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// How a currency is written: its decimals, and of what each amount is a multiple.
fn rule(currency: Currency) -> Option<(u32, i64)> {
    match currency.code() {
        code if WHOLE.contains(&code) => Some((0, 1)),
        code if WHOLE_WITH_TWO_ZEROS.contains(&code) => Some((2, 100)),
        code if THREE.contains(&code) => Some((3, 10)),
        _ if currency.decimals() == 2 => Some((2, 1)),
        // Dinars of Iraq and Libya, for example.
        _ => None,
    }
}

/// Our amount in Stripe's units. It is never rounded: what is taken must be what was agreed on.
///
/// # Errors
/// [`PspError::Amount`] when Stripe cannot take it.
pub(super) fn to_stripe(money: Money) -> Result<i64, PspError> {
    let (decimals, step) =
        rule(money.currency()).ok_or(PspError::Amount("the payment provider does not take this currency"))?;
    let steps = PspError::Amount(match step {
        10 => "the payment provider takes this currency only in amounts whose third decimal is 0",
        _ => "the payment provider takes this currency only in whole units",
    });
    let amount = rescale(money.minor(), money.currency().decimals(), decimals).ok_or(steps.clone())?;
    if amount % step == 0 { Ok(amount) } else { Err(steps) }
}

/// Stripe's amount and currency, in lower case, as ours; none when it is not an amount of that currency.
pub(super) fn from_stripe(amount: i64, currency: &str) -> Option<Money> {
    if currency.len() != 3 {
        return None;
    }
    let currency: Currency = currency.to_ascii_uppercase().parse().ok()?;
    let (decimals, _) = rule(currency)?;
    Money::from_minor(rescale(amount, decimals, currency.decimals())?, currency).ok()
}

/// The same number with other decimals, if it can be written so.
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
    fn each_currency_as_stripe_writes_it() {
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
    fn what_stripe_cannot_take_is_refused_and_not_rounded() {
        for (code, minor, part) in [
            ("KWD", 5_124, "third decimal"),
            ("BHD", 1, "third decimal"),
            ("JOD", 10_005, "third decimal"),
            ("MGA", 510, "whole units"),
            ("IQD", 5_000, "this currency"),
            ("LYD", 5_120, "this currency"),
        ] {
            let Err(PspError::Amount(why)) = to_stripe(money(code, minor)) else { panic!("{code} {minor}") };
            assert!(why.contains(part), "{why}");
        }
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for (amount, currency) in
            [(150, "isk"), (1, "xxx"), (1, ""), (1, "euro"), (1, "€"), (i64::MAX, "eur"), (i64::MAX, "mga"), (5, "iqd")]
        {
            assert_eq!(from_stripe(amount, currency), None, "{amount} {currency}");
        }
    }

    proptest! {
        #[test]
        fn what_goes_comes_back(
            code in prop::sample::select(vec!["EUR", "JPY", "ISK", "UGX", "MGA", "KWD", "OMR", "VND", "IQD"]),
            minor in 0..=Money::MAX_MINOR,
        ) {
            let money = money(code, minor);
            if let Ok(amount) = to_stripe(money) {
                prop_assert_eq!(from_stripe(amount, &code.to_ascii_lowercase()), Some(money));
            }
        }

        #[test]
        fn nothing_from_outside_makes_it_panic(amount in any::<i64>(), currency in ".{0,4}") {
            let _ = from_stripe(amount, &currency);
        }
    }
}
