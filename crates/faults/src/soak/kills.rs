//! Carries out the schedule of kills, one process at a time: it runs again before the next one is killed.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep_until};

use super::{
    cluster::Cluster,
    counters::Counters,
    schedule::{Schedule, Victim},
};

/// Kills and restarts processes until the time of the schedule is over. The cluster is returned even when a process does
/// not start again, together with that error.
///
/// # Errors
/// When the task that kills and restarts panics.
pub(super) async fn carry_out(
    mut cluster: Cluster,
    schedule: Schedule,
    counters: Arc<Counters>,
) -> Result<(Cluster, Result<()>)> {
    let began = Instant::now();
    for (at, victim) in schedule.kills {
        sleep_until(began + at).await;
        let (returned, outcome) = tokio::task::spawn_blocking(move || {
            let outcome = kill_and_restart(&mut cluster, victim);
            (cluster, outcome)
        })
        .await?;
        cluster = returned;
        if let Err(error) = outcome {
            return Ok((cluster, Err(error)));
        }
        counters.killed(victim);
    }
    sleep_until(began + schedule.time).await;
    let running = cluster.mesh.check();
    Ok((cluster, running))
}

fn kill_and_restart(cluster: &mut Cluster, victim: Victim) -> Result<()> {
    match victim {
        Victim::First => {
            cluster.mesh.service("reservation")?.kill_now()?;
            cluster.mesh.restart("reservation").context("restarting the first replica")
        }
        Victim::Second => {
            cluster.second.kill_now()?;
            cluster.second.restart().context("restarting the second replica")
        }
        Victim::Postgres => {
            cluster.mesh.postgres().kill_now()?;
            cluster.mesh.postgres().resume()
        }
    }
}
