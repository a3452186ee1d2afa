//! Who is killed when. One thing at a time: what was killed is up again before the next is killed.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep_until};

use super::{counts::Counts, place::Place};

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victim {
    First,
    Second,
    Postgres,
}

/// All deaths of a run, in order, by the time since its beginning.
#[derive(Debug)]
pub(super) struct Schedule {
    deaths: Vec<(Duration, Victim)>,
    time: Duration,
}

impl Schedule {
    /// Each replica once in `every`, the second half of it after the first, and PostgreSQL once in the middle of `time`.
    pub(super) fn new(time: Duration, every: Duration) -> Self {
        let half = every / 2;
        let victims = [Victim::First, Victim::Second].into_iter().cycle();
        let mut deaths: Vec<_> = (1..)
            .map(|n| half * n)
            .take_while(|at| *at < time)
            .zip(victims)
            .chain([(time / 2 + half / 2, Victim::Postgres)])
            .collect();
        deaths.sort_by_key(|(at, _)| *at);
        Self { deaths, time }
    }
}

/// Kills and starts again until the time is over. The place comes back even when something does not start any more.
pub(super) async fn carry_out(
    mut place: Place,
    schedule: Schedule,
    counts: Arc<Counts>,
) -> Result<(Place, Result<()>)> {
    let began = Instant::now();
    for (at, victim) in schedule.deaths {
        sleep_until(began + at).await;
        let (back, outcome) = tokio::task::spawn_blocking(move || {
            let outcome = kill(&mut place, victim);
            (place, outcome)
        })
        .await?;
        place = back;
        if let Err(error) = outcome {
            return Ok((place, Err(error)));
        }
        counts.killed(victim);
    }
    sleep_until(began + schedule.time).await;
    let alive = place.mesh.check();
    Ok((place, alive))
}

fn kill(place: &mut Place, victim: Victim) -> Result<()> {
    match victim {
        Victim::First => {
            place.mesh.service("reservation")?.kill_now()?;
            place.mesh.restart("reservation").context("the first replica")
        }
        Victim::Second => {
            place.second.kill_now()?;
            place.second.restart().context("the second replica")
        }
        Victim::Postgres => {
            place.mesh.postgres().kill_now()?;
            place.mesh.postgres().resume()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_replica_dies_every_twenty_seconds_and_the_database_once() {
        let schedule = Schedule::new(Duration::from_mins(10), Duration::from_secs(20));
        let of = |victim| {
            let deaths = schedule.deaths.iter().filter(move |(_, died)| *died == victim);
            deaths.map(|(at, _)| at.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!(of(Victim::First)[..3], [10, 30, 50]);
        assert_eq!(of(Victim::Second)[..3], [20, 40, 60]);
        assert_eq!((of(Victim::First).len(), of(Victim::Second).len()), (30, 29));
        assert_eq!(of(Victim::Postgres), [305]);
        assert!(schedule.deaths.is_sorted_by_key(|(at, _)| *at));
    }
}
