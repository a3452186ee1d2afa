//! The attacker: one address that keeps a number of requests in progress.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use reqwest::{Client, Response};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{Form, Gateways};

/// Address of the attacker.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
/// Requests on one connection; the edge accepts 100.
const PER_CONNECTION: usize = 80;
/// Interval between new requests after the first ones: 100 a second.
const INTERVAL: Duration = Duration::from_millis(10);
/// Longest time until all first requests have begun.
const BEGIN_LIMIT: Duration = Duration::from_secs(30);

/// Requests in progress. Dropping the value ends them.
pub(super) struct Held {
    clients: Vec<Client>,
    /// A path that the edge answers itself.
    health: String,
    begun: Arc<AtomicUsize>,
    ended: Arc<Mutex<BTreeMap<String, u64>>>,
    holding: JoinHandle<()>,
}

impl Held {
    /// Begins `places` requests of this form and returns when the edge has received all of them. Each that ends is replaced,
    /// at most 100 a second.
    ///
    /// # Errors
    /// When it has not received them within 30 s.
    pub(super) async fn start(form: Form, gateways: &Gateways, places: usize) -> Result<Self> {
        let clients = (0..places.div_ceil(PER_CONNECTION)).map(|_| client()).collect::<Result<Vec<_>>>()?;
        let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::default());
        let attempts = Attempts { form, url: form.url(gateways), clients: clients.clone(), begun: Arc::clone(&begun) };
        let holding = tokio::spawn(hold(attempts, places, Arc::clone(&ended)));
        let health = format!("{}/healthz", gateways.url(form.gateway));
        let held = Self { clients, health, begun, ended, holding };
        let started = Instant::now();
        while held.begun.load(Ordering::Relaxed) < places {
            ensure!(started.elapsed() < BEGIN_LIMIT, "{}: {places} requests do not begin", form.name);
            sleep(INTERVAL).await;
        }
        for answer in held.reached().await {
            answer.with_context(|| format!("{}: a connection of the attacker", form.name))?;
        }
        Ok(held)
    }

    /// Waits until the edge has read all that was sent before. It reads a connection in order, so it has read what precedes a
    /// request that it has answered.
    async fn reached(&self) -> Vec<reqwest::Result<Response>> {
        join_all(self.clients.iter().map(|client| client.get(&self.health).timeout(BEGIN_LIMIT).send())).await
    }

    /// Ends all requests. Returns how many ended by themselves, by status or error.
    pub(super) async fn end(mut self) -> BTreeMap<String, u64> {
        self.holding.abort();
        // Requests that are dropped are reset. The edge may close connections because of that.
        let _ = (&mut self.holding).await;
        let _ = self.reached().await;
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.holding.abort();
    }
}

struct Attempts {
    form: Form,
    url: String,
    clients: Vec<Client>,
    begun: Arc<AtomicUsize>,
}

async fn hold(attempts: Attempts, places: usize, ended: Arc<Mutex<BTreeMap<String, u64>>>) {
    let mut held = JoinSet::new();
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut connections = attempts.clients.iter().cycle();
    // All first requests begin at once.
    let mut new = places;
    loop {
        for client in connections.by_ref().take(new) {
            held.spawn(attempts.send(client));
        }
        ticks.tick().await;
        while let Some(outcome) = held.try_join_next() {
            let what = outcome.unwrap_or_else(|error| error.to_string());
            *ended.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
        }
        new = usize::from(held.len() < places);
    }
}

impl Attempts {
    /// Sends a request and returns how it ended.
    fn send(&self, client: &Client) -> impl Future<Output = String> + Send + 'static {
        let request = client
            .post(&self.url)
            .header("content-type", self.form.content_type())
            .header("te", "trailers")
            .body(self.form.body(Arc::clone(&self.begun)));
        async move {
            match request.send().await {
                Ok(answer) => {
                    let status = answer.status();
                    let code = answer.headers().get("grpc-status").and_then(|code| code.to_str().ok());
                    let what = code.map_or_else(|| status.to_string(), |code| format!("{status}, gRPC {code}"));
                    // The body of a stream ends with the stream.
                    answer.bytes().await.map_or_else(|_| "connection lost".to_owned(), |_| what)
                }
                Err(_) => "no response".to_owned(),
            }
        }
    }
}

/// A client with one connection.
fn client() -> Result<Client> {
    Ok(Client::builder().http2_prior_knowledge().local_address(ADDRESS).tls_certs_only([]).build()?)
}
