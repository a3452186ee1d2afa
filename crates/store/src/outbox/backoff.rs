//! When to try again.

use std::time::Duration;

/// How long to wait after failed attempt number `attempt` (from 1): anywhere between nothing and a ceiling that
/// doubles from `base` up to `cap`. `random` is from 0 to 1.
///
/// Spread over the whole span ("full jitter"), so that thousands of events which failed together do not return
/// together.
pub(super) fn delay(attempt: i32, base: Duration, cap: Duration, random: f64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(0).min(31);
    let ceiling = base.saturating_mul(1 << doublings).min(cap);
    ceiling.mul_f64(random.clamp(0.0, 1.0))
}

/// How long to wait for a receiver that is away: anywhere between nothing and the event's age, within `base` and
/// `cap`. So waits grow with the outage although no attempt is counted.
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
    fn the_ceiling_doubles_up_to_the_cap() {
        let ceilings: Vec<_> = (1..=11).map(|attempt| delay(attempt, BASE, CAP, 1.0).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
    }

    #[test]
    fn an_outage_is_waited_for_in_growing_steps_up_to_the_cap() {
        let ceiling = |age| delay_by_age(Duration::from_secs(age), BASE, CAP, 1.0).as_secs();
        assert_eq!([0, 1, 60, 300, 86_400].map(ceiling), [1, 1, 60, 300, 300]);
        assert_eq!(delay_by_age(CAP, BASE, CAP, 0.5), CAP / 2);
    }

    proptest! {
        #[test]
        fn any_attempt_waits_within_its_ceiling(attempt in any::<i32>(), random in 0.0..=1.0_f64) {
            let ceiling = delay(attempt, BASE, CAP, 1.0);
            prop_assert!(delay(attempt, BASE, CAP, random) <= ceiling && ceiling <= CAP);
            prop_assert!(ceiling >= BASE);
            prop_assert!(delay(attempt.saturating_add(1), BASE, CAP, 1.0) >= ceiling);
        }
    }
}
