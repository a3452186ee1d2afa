//! The schedule of kills: which process is killed at which time.

use std::time::Duration;

/// A process that is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    /// The first reservation replica.
    First,
    /// The second reservation replica.
    Second,
    /// The database server.
    Postgres,
}

/// All kills of a run in order, by time since its start.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) kills: Vec<(Duration, Victim)>,
    /// Length of the run.
    pub(super) time: Duration,
}

impl Schedule {
    /// Kills each replica once per `interval`, the second half an interval after the first, and PostgreSQL once, shortly
    /// after half of `time`.
    pub(super) fn new(time: Duration, interval: Duration) -> Self {
        let half = interval / 2;
        let replicas = [Victim::First, Victim::Second].into_iter().cycle();
        let mut kills: Vec<_> = (1..)
            .map(|n| half * n)
            .take_while(|at| *at < time)
            .zip(replicas)
            .chain([(time / 2 + half / 2, Victim::Postgres)])
            .collect();
        kills.sort_by_key(|(at, _)| *at);
        Self { kills, time }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedule_of_ten_minutes_kills_each_replica_every_twenty_seconds_and_postgres_once() {
        let schedule = Schedule::new(Duration::from_mins(10), Duration::from_secs(20));
        let of = |victim| {
            let kills = schedule.kills.iter().filter(move |(_, killed)| *killed == victim);
            kills.map(|(at, _)| at.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(of(Victim::First)[..3], [10, 30, 50]);
        assert_eq!(of(Victim::Second)[..3], [20, 40, 60]);
        assert_eq!((of(Victim::First).len(), of(Victim::Second).len()), (30, 29));
        assert_eq!(of(Victim::Postgres), [305]);
        assert!(schedule.kills.is_sorted_by_key(|(at, _)| *at));
    }
}
