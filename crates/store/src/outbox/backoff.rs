//! Delays before the next delivery attempt: exponential backoff with full jitter.
//!
//! Source: Marc Brooker, [Exponential Backoff and
//! Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), "full jitter".

use std::time::Duration;

/// Delay after failed attempt number `attempt` (from 1): `random` (0 to 1) times a ceiling that starts at `base` and
/// doubles with each attempt up to `cap`.
///
/// The delay is spread over the whole span, so that events that failed together are not retried together.
pub(super) fn delay(attempt: i32, base: Duration, cap: Duration, random: f64) -> Duration {
    let doublings = attempt.saturating_sub(1).clamp(0, 31);
    let ceiling = base.saturating_mul(1_u32 << doublings).min(cap);
    ceiling.mul_f64(random.clamp(0.0, 1.0))
}

/// Delay while the receiver is unavailable: `random` (0 to 1) times the age of the event, which is limited to `base` ..=
/// `cap`. The delay grows with the outage although no attempt is counted.
pub(super) fn delay_by_age(age: Duration, base: Duration, cap: Duration, random: f64) -> Duration {
    age.max(base).min(cap).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BASE: Duration = Duration::from_secs(1);
    const CAP: Duration = Duration::from_mins(5);

    #[test]
    fn delay_ceiling_doubles_per_attempt_up_to_cap() {
        let ceilings: Vec<_> = (1..=11).map(|attempt| delay(attempt, BASE, CAP, 1.0).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn delay_by_age_grows_with_age_between_base_and_cap() {
        let ceiling = |age| delay_by_age(Duration::from_secs(age), BASE, CAP, 1.0).as_secs();
        assert_eq!([0, 1, 60, 300, 86_400].map(ceiling), [1, 1, 60, 300, 300]);
        assert_eq!(delay_by_age(CAP, BASE, CAP, 0.5), CAP / 2);
    }

    proptest! {
        #[test]
        fn delay_is_within_ceiling_for_any_attempt(attempt in any::<i32>(), random in 0.0..=1.0_f64) {
            let ceiling = delay(attempt, BASE, CAP, 1.0);
            prop_assert!(delay(attempt, BASE, CAP, random) <= ceiling && ceiling <= CAP);
            prop_assert!(ceiling >= BASE);
            prop_assert!(delay(attempt.saturating_add(1), BASE, CAP, 1.0) >= ceiling);
        }
    }
}
