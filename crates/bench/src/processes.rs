//! The whole mesh as real processes on loopback, for the runs that need more than one service.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use sqlx::PgPool;
use staymesh_api::identity::v1::{IssueClientTokenRequest, auth_service_client::AuthServiceClient};
use staymesh_devenv::{Component, Durability, dev_dir, install};
use staymesh_localmesh::{LocalMesh, Options, Progress};
use staymesh_reservation::OfferKeys;
use staymesh_store::StoreConfig;

use crate::{callers::Caller, database::remove_dead_runs};

/// Builds what a run starts.
const BUILD: &str = "cargo build --release --workspace --bin staymesh --bin staymesh-dev";

/// A setting of a service: its name, the variable, the value.
pub(crate) type Setting = (&'static str, &'static str, String);

/// The `staymesh` binary that a run uses: the one given, or the one beside this program.
pub(crate) fn binary(given: Option<&PathBuf>) -> Result<PathBuf> {
    let binary = match given {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("staymesh"),
    };
    ensure!(binary.is_file(), "there is no {}; build it first: {BUILD}", binary.display());
    Ok(binary)
}

/// Starts it, durable, and tells where its files are, which go when the run has been good. A few callers make all the
/// bookings, so nobody has a limit of unpaid rooms.
pub(crate) fn start(binary: PathBuf, mut settings: Vec<Setting>) -> Result<(LocalMesh, PathBuf)> {
    let limits = ["STAYMESH_GUEST_UNPAID_ROOMS", "STAYMESH_PARTNER_UNPAID_ROOMS"];
    settings.extend(limits.map(|limit| ("reservation", limit, "0".to_owned())));
    install::install(&dev_dir(), &[Component::Postgres, Component::Redis, Component::Envoy], &|line| {
        eprintln!("{line}")
    })?;
    let runs = dev_dir().join("bench");
    remove_dead_runs(&runs);
    let dir = runs.join(std::process::id().to_string());
    let dev_binary = binary.with_file_name("staymesh-dev");
    ensure!(dev_binary.is_file(), "there is no {}; build it first: {BUILD}", dev_binary.display());
    let options = Options {
        dir: dir.clone(),
        binary,
        dev_binary,
        public_port: None,
        internal_port: None,
        durability: Durability::On,
        settings,
    };
    Ok((LocalMesh::start(options, &Told)?, dir))
}

/// Says what is being started.
struct Told;

impl Progress for Told {
    fn begin(&self, step: &str) {
        println!("starting: {step}");
    }
}

/// Partners with tokens from identity, which live for an hour.
pub(crate) async fn partners(mesh: LocalMesh, name: &'static str, count: usize) -> Result<(LocalMesh, Vec<Caller>)> {
    let (mesh, partners) = tokio::task::spawn_blocking(move || {
        let ids = (0..count).map(|at| format!("{name}-{at}"));
        let partners = ids.map(|id| Ok((mesh.register_partner(&id)?, id))).collect::<Result<Vec<_>>>()?;
        anyhow::Ok((mesh, partners))
    })
    .await??;
    let mut identity =
        AuthServiceClient::new(tonic::transport::Endpoint::new(mesh.service_url("identity")?)?.connect().await?);
    let mut callers = Vec::with_capacity(partners.len());
    for (client_secret, client_id) in partners {
        let subject = format!("client:{client_id}");
        let request = IssueClientTokenRequest { grant_type: "client_credentials".into(), client_id, client_secret };
        let token = identity.issue_client_token(request).await?.into_inner();
        callers.push(Caller { subject, bearer: format!("Bearer {}", token.access_token).parse()? });
    }
    Ok((mesh, callers))
}

/// What the reservation service of this mesh signs offers with.
pub(crate) fn offer_keys(mesh: &LocalMesh) -> Result<OfferKeys> {
    let key = BASE64_STANDARD.encode(hex(&mesh.secret("offer-key")?)?);
    format!("local:{key}").parse().map_err(anyhow::Error::msg)
}

/// A few connections to a database, for what is not load.
pub(crate) fn connect(url: &str) -> Result<PgPool> {
    let mut config = StoreConfig::new(url.to_owned());
    config.database_max_connections = 2;
    // Checking takes longer than any request may.
    config.database_statement_timeout = Duration::from_mins(10);
    Ok(staymesh_store::connect(&config)?)
}

/// Refuses to measure what a power cut would undo.
pub(crate) async fn ensure_durable(pool: &PgPool) -> Result<()> {
    let durable: (String, String) =
        sqlx::query_as("select current_setting('fsync'), current_setting('synchronous_commit')")
            .fetch_one(pool)
            .await?;
    ensure!(durable == ("on".into(), "on".into()), "the database is not durable, so nothing would be shown");
    Ok(())
}

fn hex(text: &str) -> Result<Vec<u8>> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}
