//! Tells the merchant what happened: signed, at least once, with growing pauses, and not forever.

use std::{sync::Arc, time::Duration};

use backon::{BackoffBuilder, ExponentialBuilder};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{Config, model::Event};

/// Longest wait for the merchant's answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Events that wait for an attempt at most; more are dropped, and the merchant learns by asking.
const MAX_WAITING: usize = 10_000;
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
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Webhooks {
    pub(crate) fn new(config: &Config, stop: CancellationToken) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // An event goes to the place that was agreed on, and to no other.
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
            tasks: TaskTracker::new(),
            stop,
        })))
    }

    /// Sends the event in the background.
    pub(crate) fn send(&self, event: Event) {
        let own = event.webhook_url.as_deref().and_then(|url| Url::parse(url).ok());
        let Some(url) = own.or_else(|| self.0.url.clone()) else {
            return;
        };
        let Ok(place) = self.0.waiting.clone().try_acquire_owned() else {
            tracing::error!(event = event.id, "too many events are waiting; this one is dropped");
            return;
        };
        let inner = self.0.clone();
        self.0.tasks.spawn(async move {
            inner.stop.run_until_cancelled(inner.deliver(&url, &event)).await;
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
    async fn deliver(&self, url: &Url, event: &Event) {
        let body = match serde_json::to_vec(event) {
            Ok(body) => body,
            Err(error) => return tracing::error!(event = event.id, error.cause = %error, "an event has no JSON"),
        };
        let mut pauses = self.pauses.build();
        loop {
            let why = match self.attempt(url, &body).await {
                Ok(()) => return tracing::info!(event = event.id, kind = event.kind, "event taken"),
                Err(why) => why,
            };
            let Some(pause) = pauses.next() else {
                return tracing::error!(event = event.id, kind = event.kind, why, "event given up");
            };
            tracing::warn!(
                event = event.id,
                kind = event.kind,
                why,
                retry_in_ms = pause.as_millis(),
                "event not taken"
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// Signed anew each time, or a late attempt would look like a replay.
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

/// `t=UNIX,v1=HEX`, where HEX is HMAC-SHA256 of `UNIX.BODY`.
fn signature(secret: &SecretString, unix: i64, body: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{unix}.").as_bytes());
    mac.update(body);
    format!("t={unix},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_documented_hmac() {
        // printf '1700000000.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test
        let signed = signature(&"whsec_test".into(), 1_700_000_000, br#"{"id":"evt_1"}"#);
        assert_eq!(signed, "t=1700000000,v1=c89214b5b5da833daed6f0b8c5bb6bd58cea9022bd80ccc78230f3942d632925");
    }
}
