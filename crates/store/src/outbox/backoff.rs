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
