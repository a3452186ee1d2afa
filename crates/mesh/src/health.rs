//! Readiness: probes of what a service needs, run once a second and reported by `grpc.health.v1` and `/readyz`.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

type ProbeFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// A readiness probe: a named check of one dependency.
pub struct Probe {
    name: &'static str,
    run: Box<dyn Fn() -> ProbeFuture + Send + Sync>,
}

impl Probe {
    /// A probe called `name`. It is cut off after two seconds; its error is shown to operators.
    pub fn new<F, Fut>(name: &'static str, run: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, run: Box::new(move || Box::pin(run())) }
    }
}

/// The failed probes with their errors, for `/readyz`; empty if the service is ready.
pub type Obstacles = Arc<ArcSwap<Vec<String>>>;

/// Obstacles before the first run of the probes.
pub fn not_checked_yet() -> Obstacles {
    Arc::new(ArcSwap::from_pointee(vec!["not checked yet".to_owned()]))
}

/// Runs the probes once a second and reports the result until `stop`. From then on the service is not ready.
pub async fn watch(
    reporter: HealthReporter,
    services: Vec<String>,
    probes: Vec<Probe>,
    obstacles: Obstacles,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    report(&reporter, &services, false).await;
    let mut was_ready = false;
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let found = run_all(&probes).await;
        let ready = found.is_empty();
        if ready != was_ready {
            if ready {
                tracing::info!("ready");
            } else {
                tracing::warn!(obstacles = ?found, "not ready");
            }
            report(&reporter, &services, ready).await;
            was_ready = ready;
        }
        obstacles.store(Arc::new(found));
    }
    obstacles.store(Arc::new(vec!["stopping".to_owned()]));
    report(&reporter, &services, false).await;
}

async fn run_all(probes: &[Probe]) -> Vec<String> {
    let mut found = Vec::new();
    for probe in probes {
        let outcome = tokio::time::timeout(Duration::from_secs(2), (probe.run)()).await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(why)) => found.push(format!("{}: {why}", probe.name)),
            Err(_) => found.push(format!("{}: no answer within 2 s", probe.name)),
        }
    }
    found
}

async fn report(reporter: &HealthReporter, services: &[String], ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in services {
        reporter.set_service_status(name, status).await;
    }
}
