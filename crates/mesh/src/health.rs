//! Readiness: what must work for a service to take requests, checked once a second and told by `grpc.health.v1`.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use tonic_health::{ServingStatus, server::HealthReporter};

type CheckFuture = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// One thing that must work.
pub struct Check {
    name: &'static str,
    run: Box<dyn Fn() -> CheckFuture + Send + Sync>,
}

impl Check {
    /// A check named `name`. It must end within a second or two by itself; the error is shown to operators.
    pub fn new<F, Fut>(name: &'static str, run: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { name, run: Box::new(move || Box::pin(run())) }
    }
}

/// What currently keeps the service from being ready; empty when it is.
pub type Obstacles = Arc<ArcSwap<Vec<String>>>;

/// Obstacles before the first check has run.
pub fn not_checked_yet() -> Obstacles {
    Arc::new(ArcSwap::from_pointee(vec!["not checked yet".to_owned()]))
}

/// Runs the checks once a second and reports what they say, until `stop`; from then on the service is not ready.
pub async fn watch(
    reporter: HealthReporter,
    services: Vec<String>,
    checks: Vec<Check>,
    obstacles: Obstacles,
    stop: CancellationToken,
) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    report(&reporter, &services, false).await;
    let mut was_ready = false;
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let found = run_all(&checks).await;
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

async fn run_all(checks: &[Check]) -> Vec<String> {
    let mut found = Vec::new();
    for check in checks {
        let outcome = tokio::time::timeout(Duration::from_secs(2), (check.run)()).await;
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(why)) => found.push(format!("{}: {why}", check.name)),
            Err(_) => found.push(format!("{}: no answer within 2 s", check.name)),
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
