//! Delivers webhook events to the merchant: signed, at least once, with exponential backoff and a limited number of attempts.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{Config, event::Event, faults::WebhookFault, signature::signature};

/// Timeout of a delivery attempt.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most undelivered events; further ones are dropped, and the merchant must poll.
const MAX_WAITING: usize = 10_000;
/// Longest wait of an event for a later one that overtakes it.
const LONGEST_REORDER: Duration = Duration::from_secs(10);
/// Requests in progress at once.
const MAX_SENDING: usize = 16;

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Webhooks(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    url: Option<Url>,
    secret: SecretString,
    pauses: ExponentialBuilder,
    waiting: Arc<Semaphore>,
    sending: Semaphore,
    /// Subjects with an event that is held back until a later one overtakes it.
    held: Mutex<HashMap<String, Arc<Notify>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Webhooks {
    pub(crate) fn new(config: &Config, stop: CancellationToken) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // A redirect could send an event to a URL that was not configured.
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        let pauses = ExponentialBuilder::default()
            .with_min_delay(config.webhook_backoff)
            .with_max_delay(Duration::from_mins(1))
            .with_max_times(config.webhook_attempts.saturating_sub(1))
            .with_jitter();
        Ok(Self(Arc::new(Inner {
            http,
            url: config.webhook_url.clone(),
            secret: config.webhook_secret.clone(),
            pauses,
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            sending: Semaphore::new(MAX_SENDING),
            held: Mutex::default(),
            tasks: TaskTracker::new(),
            stop,
        })))
    }

    /// Delivers the event in the background, with the fault that is injected into it.
    pub(crate) fn send(&self, event: Event) {
        let own = event.webhook_url.as_deref().and_then(|url| Url::parse(url).ok());
        let Some(url) = own.or_else(|| self.0.url.clone()) else {
            return;
        };
        if event.fault == Some(WebhookFault::Lose) {
            return tracing::info!(event = event.id, kind = event.kind, "event dropped by an injected fault");
        }
        let Ok(place) = self.0.waiting.clone().try_acquire_owned() else {
            tracing::error!(event = event.id, "too many events are waiting; this one is dropped");
            return;
        };
        let inner = self.0.clone();
        // Held before the task starts, so that the next event of the subject finds it.
        let overtaken = if event.fault == Some(WebhookFault::Reorder) { inner.hold(event.subject()) } else { None };
        self.0.tasks.spawn(async move {
            inner.stop.run_until_cancelled(inner.deliver_with_fault(&url, &event, overtaken)).await;
            drop(place);
        });
    }

    /// Waits for the attempts in progress, once the token given at the start is cancelled.
    pub(crate) async fn ended(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Inner {
    async fn deliver_with_fault(&self, url: &Url, event: &Event, overtaken: Option<Arc<Notify>>) {
        if let Some(overtaken) = overtaken {
            // An event that no later one overtakes in this time is only delayed.
            let _ = tokio::time::timeout(LONGEST_REORDER, overtaken.notified()).await;
            self.held().remove(event.subject());
        }
        match event.fault {
            Some(WebhookFault::Duplicate) => {
                tokio::join!(self.deliver(url, event), self.deliver(url, event));
            }
            Some(WebhookFault::Delay(seconds)) => {
                tokio::time::sleep(Duration::from_secs(seconds.into())).await;
                self.deliver(url, event).await;
            }
            _ => self.deliver(url, event).await,
        }
        if let Some(held) = self.held().get(event.subject()) {
            held.notify_one();
        }
    }

    /// Holds back an event of this subject. `None` if one is held already, which this event then overtakes.
    fn hold(&self, subject: &str) -> Option<Arc<Notify>> {
        let mut held = self.held();
        if held.contains_key(subject) {
            return None;
        }
        let notify = Arc::new(Notify::new());
        held.insert(subject.to_owned(), notify.clone());
        Some(notify)
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(&self, url: &Url, event: &Event) {
        let body = match serde_json::to_vec(event) {
            Ok(body) => body,
            Err(error) => return tracing::error!(event = event.id, error.cause = %error, "event cannot be serialized"),
        };
        let mut pauses = self.pauses.build();
        loop {
            let why = match self.attempt(url, &body).await {
                Ok(()) => return tracing::info!(event = event.id, kind = event.kind, "event delivered"),
                Err(why) => why,
            };
            let Some(pause) = pauses.next() else {
                return tracing::error!(
                    event = event.id,
                    kind = event.kind,
                    why,
                    "event dropped after the last attempt"
                );
            };
            tracing::warn!(
                event = event.id,
                kind = event.kind,
                why,
                retry_in_ms = pause.as_millis(),
                "event not delivered"
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// One attempt, with a new signature: receivers reject old timestamps as replays.
    async fn attempt(&self, url: &Url, body: &[u8]) -> Result<(), String> {
        let _place = self.sending.acquire().await.map_err(|error| error.to_string())?;
        let signature = signature(&self.secret, Timestamp::now().as_second(), body);
        let request = self.http.post(url.clone()).header("content-type", "application/json");
        let answer = request.header("psp-signature", signature).body(body.to_vec()).send().await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("answered {}", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err("no answer in time".to_owned()),
            Err(_) => Err("cannot be reached".to_owned()),
        }
    }
}
