//! Tasks that keep the set of revoked sessions fresh, and the one with which identity keeps the log complete.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use staymesh_api::identity::v1::{ListRevocationsRequest, revocation_service_client::RevocationServiceClient};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Revocations,
    log::{Cursor, Log},
    set::SourceKind,
};
use crate::client::MeshChannel;

/// Interval between reads of the log.
const LOG_INTERVAL: Duration = Duration::from_millis(100);
/// Interval between reads of identity while the log can be read.
pub(super) const SLOW: Duration = Duration::from_secs(1);
/// The same while it cannot.
pub(super) const FAST: Duration = Duration::from_millis(200);
/// Deadline of a read of identity: less than the lease, which counts from the start of the read.
const READ_TIMEOUT: Duration = Duration::from_millis(400);

/// Lists all revoked sessions whose tokens may not have expired: identity's database, or identity over gRPC.
#[tonic::async_trait]
pub trait RevocationSource: Send + Sync + 'static {
    /// Lists the sessions.
    ///
    /// # Errors
    /// A text for the log when the source fails.
    async fn list(&self) -> Result<Vec<String>, String>;
}

/// Lists the revoked sessions over gRPC.
pub struct RemoteRevocations(RevocationServiceClient<MeshChannel>);

impl RemoteRevocations {
    /// Lists through this channel to identity.
    pub fn new(channel: MeshChannel) -> Self {
        Self(RevocationServiceClient::new(channel))
    }
}

#[tonic::async_trait]
impl RevocationSource for RemoteRevocations {
    async fn list(&self) -> Result<Vec<String>, String> {
        match self.0.clone().list_revocations(ListRevocationsRequest {}).await {
            Ok(response) => Ok(response.into_inner().sessions),
            Err(status) => Err(status.code().to_string()),
        }
    }
}

impl Revocations {
    /// Follows the log in Redis until `stop`. Returns at once without Redis.
    pub async fn follow_log(self, stop: CancellationToken) {
        let Some(log) = self.log.clone() else { return };
        let mut cursor = Cursor::default();
        loop {
            self.read_log(&log, &mut cursor).await;
            if stop.run_until_cancelled(sleep(LOG_INTERVAL)).await.is_none() {
                return;
            }
        }
    }

    /// Reads the log to its end. A failure leaves the set stale, which the other source mends. After a change of generation
    /// the next interval begins at the start.
    async fn read_log(&self, log: &Log, cursor: &mut Cursor) {
        loop {
            let began = Instant::now();
            let Ok(read) = log.read(cursor).await else { return };
            if read.complete {
                self.observe(read.sessions, SourceKind::Log, began);
                return;
            }
            if read.sessions.is_empty() {
                return;
            }
            read.sessions.iter().for_each(|session| self.set.insert(session));
        }
    }

    /// Follows identity, or its database, until `stop`.
    pub async fn follow_source(self, source: impl RevocationSource, stop: CancellationToken) {
        let mut failing = false;
        loop {
            let outcome = self.read_source(&source).await.map(drop);
            report(&outcome, &mut failing);
            if stop.run_until_cancelled(sleep(self.pace())).await.is_none() {
                return;
            }
        }
    }

    /// Follows identity's database until `stop`, and keeps the log in Redis complete: appends what could not be appended
    /// when it was revoked, and begins the log again after Redis has lost it. For identity.
    pub async fn follow_and_publish(self, source: impl RevocationSource, stop: CancellationToken) {
        let (mut published, mut failing) = (HashSet::new(), false);
        loop {
            let outcome = match self.read_source(&source).await {
                Ok(sessions) => {
                    self.publish(sessions, &mut published).await;
                    Ok(())
                }
                Err(error) => Err(error),
            };
            report(&outcome, &mut failing);
            if stop.run_until_cancelled(sleep(self.pace())).await.is_none() {
                return;
            }
        }
    }

    async fn read_source(&self, source: &impl RevocationSource) -> Result<Vec<String>, String> {
        let began = Instant::now();
        let late = |_| Err(format!("no answer within {} ms", READ_TIMEOUT.as_millis()));
        let sessions = timeout(READ_TIMEOUT, source.list()).await.unwrap_or_else(late)?;
        self.observe(sessions.iter().cloned(), SourceKind::Identity, began);
        Ok(sessions)
    }

    /// Appends the sessions that are not yet `published`. While Redis fails they stay unpublished.
    async fn publish(&self, sessions: Vec<String>, published: &mut HashSet<String>) {
        let Some(log) = &self.log else { return };
        let Ok(generation) = log.generation().await else { return };
        if generation.is_none() {
            published.clear();
        }
        let missing: Vec<String> = sessions.iter().filter(|session| !published.contains(*session)).cloned().collect();
        let written = match generation {
            None => log.begin(&missing).await,
            Some(_) if missing.is_empty() => Ok(()),
            Some(_) => log.append(&missing).await,
        };
        if written.is_ok() {
            *published = sessions.into_iter().collect();
        }
    }
}

/// Logs the first failure of several, and the end of a failure.
fn report(outcome: &Result<(), String>, failing: &mut bool) {
    match outcome {
        Ok(()) if *failing => tracing::info!("revoked sessions can be read from identity again"),
        Err(error) if !*failing => {
            tracing::warn!(error.cause = error, "revoked sessions cannot be read from identity");
        }
        _ => {}
    }
    *failing = outcome.is_err();
}
