//! Fixtures of this crate's tests.

use std::time::Duration;

use clap::Parser;
use staymesh_domain::Money;
use staymesh_psp_simulator::{Config, FaultConfig, serve_on};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{PspConfig, simulator::SimulatorPsp};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    psp: PspConfig,
}

/// The settings of these arguments, with the API key `sk_hidden`; of the simulator unless they name another provider.
pub(crate) fn config(arguments: &[&str]) -> PspConfig {
    let provider = if arguments.contains(&"--psp") { &[][..] } else { &["--psp", "simulator"] };
    parse(&[provider, arguments].concat()).unwrap_or_else(|error| panic!("{error}"))
}

/// The settings of exactly these arguments, with the API key `sk_hidden`.
pub(crate) fn parse(arguments: &[&str]) -> Result<PspConfig, clap::Error> {
    let arguments = ["p", "--psp-api-key", "sk_hidden"].iter().chain(arguments);
    Program::try_parse_from(arguments).map(|program| program.psp)
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::from_minor(minor, "EUR".parse().unwrap()).unwrap()
}

/// The adapter to a simulator at this address.
pub(crate) fn adapter(url: &str) -> SimulatorPsp {
    SimulatorPsp::new(url, "sk_test".into(), Duration::from_secs(5)).unwrap()
}

/// The real simulator, in this process until the guard is dropped.
pub(crate) async fn simulator(webhook: Option<&str>) -> (SimulatorPsp, DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        api_key: "sk_test".into(),
        webhook_url: webhook.map(|url| url.parse().unwrap()),
        webhook_secret: "the secret of both sides".into(),
        webhook_attempts: 3,
        webhook_backoff: Duration::from_millis(10),
        max_sessions: 100,
        review_seconds: None,
        faults: FaultConfig::default(),
        state: None,
    };
    let stop = CancellationToken::new();
    let serving = stop.clone();
    tokio::spawn(async move { serve_on(listener, config, serving).await.unwrap() });
    (adapter(&url), stop.drop_guard())
}
