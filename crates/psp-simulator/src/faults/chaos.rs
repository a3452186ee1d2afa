//! Random faults for fault tests. The fault of a call or event is a function of the seed and of its identity alone, not of
//! time or order, so that runs are reproducible.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use super::{AnswerFault, WebhookFault};

/// Most calls whose attempts are counted; beyond it all counts restart.
const MAX_COUNTED: usize = 100_000;

/// Settings of random faults.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct FaultConfig {
    /// Seed of the random faults: the same seed gives the same faults.
    #[arg(long, env = "STAYMESH_PSP_FAULT_SEED", default_value_t = 0)]
    pub fault_seed: u64,
    /// Percentage of API calls and events with a fault, 0 to 100.
    #[arg(long, env = "STAYMESH_PSP_FAULT_PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub fault_percent: u8,
}

/// Chooses the fault of each call and event.
pub(crate) struct Chaos {
    config: FaultConfig,
    attempts: Mutex<HashMap<String, u32>>,
}

impl Chaos {
    pub(crate) fn new(config: FaultConfig) -> Self {
        Self { config, attempts: Mutex::default() }
    }

    /// The fault of the next attempt of `call`, which identifies the call across attempts. Each attempt is drawn anew, so
    /// that a retry can succeed.
    pub(crate) fn of_call(&self, call: &str) -> Option<AnswerFault> {
        if self.config.fault_percent == 0 {
            return None;
        }
        let attempt = self.attempt(call);
        let kind = self.roll(&format!("call {call} {attempt}"))?;
        Some(match kind % 3 {
            0 => AnswerFault::TimeoutBefore,
            1 => AnswerFault::TimeoutAfter,
            _ => AnswerFault::Error,
        })
    }

    /// The fault of an event.
    pub(crate) fn of_event(&self, id: &str) -> Option<WebhookFault> {
        let kind = self.roll(&format!("event {id}"))?;
        Some(match kind % 4 {
            0 => WebhookFault::Lose,
            1 => WebhookFault::Duplicate,
            2 => WebhookFault::Reorder,
            _ => WebhookFault::Delay(1 + kind / 4 % 3),
        })
    }

    /// Whether this is the first call with `what`.
    pub(crate) fn is_first(&self, what: &str) -> bool {
        self.attempt(what) == 1
    }

    fn attempt(&self, call: &str) -> u32 {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() >= MAX_COUNTED && !attempts.contains_key(call) {
            attempts.clear();
        }
        let count = attempts.entry(call.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// A random number that selects the kind of fault; `None` for no fault.
    fn roll(&self, what: &str) -> Option<u32> {
        if self.config.fault_percent == 0 {
            return None;
        }
        let digest = Sha256::digest(format!("{} {what}", self.config.fault_seed));
        let number = |at: usize| u32::from_be_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]]);
        (number(0) % 100 < u32::from(self.config.fault_percent)).then(|| number(4))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn chaos(fault_seed: u64, fault_percent: u8) -> Chaos {
        Chaos::new(FaultConfig { fault_seed, fault_percent })
    }

    fn events(chaos: &Chaos) -> Vec<Option<WebhookFault>> {
        (0..10_000).map(|n| chaos.of_event(&format!("evt_{n}"))).collect()
    }

    #[test]
    fn same_seed_gives_same_faults_in_any_order() {
        let (one, two) = (chaos(1, 5), chaos(1, 5));
        let calls = |chaos: &Chaos, order: &mut dyn Iterator<Item = u32>| {
            let mut faults: Vec<_> = order.map(|n| (n, chaos.of_call(&format!("k{n}")))).collect();
            faults.sort_by_key(|(n, _)| *n);
            faults
        };
        assert_eq!(calls(&one, &mut (0..1000)), calls(&two, &mut (0..1000).rev()));
        assert_eq!(events(&one), events(&two));
        assert_ne!(events(&one), events(&chaos(2, 5)));
    }

    #[test]
    fn fault_rate_is_near_percent_and_covers_every_kind() {
        let chaos = chaos(7, 5);
        let faults: Vec<_> = events(&chaos).into_iter().flatten().collect();
        assert!((400..600).contains(&faults.len()), "{} of 10,000", faults.len());
        let kinds: HashSet<_> = faults.iter().map(std::mem::discriminant).collect();
        assert_eq!(kinds.len(), 4);
        let calls: Vec<_> = (0..10_000).filter_map(|n| chaos.of_call(&format!("k{n}"))).collect();
        assert!((400..600).contains(&calls.len()), "{} of 10,000", calls.len());
        assert_eq!(calls.iter().map(std::mem::discriminant).collect::<HashSet<_>>().len(), 3);
    }

    #[test]
    fn retries_succeed_and_zero_percent_injects_nothing() {
        let chaos = chaos(1, 50);
        for n in 0..100 {
            assert!((0..100).any(|_| chaos.of_call(&format!("k{n}")).is_none()));
        }
        let off = self::chaos(1, 0);
        assert!(events(&off).iter().all(Option::is_none) && off.of_call("k").is_none());
        assert!(off.attempts.lock().unwrap().is_empty());
        assert_eq!((off.is_first("x"), off.is_first("x"), off.is_first("y")), (true, false, true));
    }

    #[test]
    fn attempt_counts_are_bounded() {
        let chaos = chaos(1, 1);
        for n in 0..=MAX_COUNTED {
            chaos.is_first(&n.to_string());
        }
        assert_eq!(chaos.attempts.lock().unwrap().len(), 1);
    }
}
