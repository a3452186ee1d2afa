//! A durable mesh of real processes on loopback, for runs that need more than one service.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD};
use sqlx::PgPool;
use staymesh_api::identity::v1::{IssueClientTokenRequest, auth_service_client::AuthServiceClient};
use staymesh_devenv::{Component, Durability, dev_dir, install, run_dir};
use staymesh_domain::ClientId;
use staymesh_localmesh::{LocalMesh, Options, Progress};
use staymesh_reservation::OfferKeys;
use staymesh_store::StoreConfig;
use tonic::transport::Endpoint;

use crate::Caller;

/// Builds the binaries that a run starts.
const BUILD: &str = "cargo build --release --workspace --bin staymesh --bin staymesh-dev";

/// Meshes that this process has started, which have a directory each.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// A setting: service, environment variable, value.
pub type Setting = (&'static str, &'static str, String);

/// The binaries that a run starts.
#[derive(Clone, Debug)]
pub struct Binaries {
    staymesh: PathBuf,
    staymesh_dev: PathBuf,
}

impl Binaries {
    /// `staymesh` as given, or beside this program; `staymesh-dev` beside it.
    ///
    /// # Errors
    /// When one of them does not exist.
    pub fn find(staymesh: Option<&Path>) -> Result<Self> {
        let staymesh = match staymesh {
            Some(path) => path.to_owned(),
            None => std::env::current_exe()?.with_file_name("staymesh"),
        };
        let staymesh_dev = staymesh.with_file_name("staymesh-dev");
        for binary in [&staymesh, &staymesh_dev] {
            ensure!(binary.is_file(), "{} does not exist; build it: {BUILD}", binary.display());
        }
        Ok(Self { staymesh, staymesh_dev })
    }
}

/// Starts a durable mesh without limits of unpaid holds, because few callers make all bookings. Returns the mesh and its
/// directory, which the caller removes after a successful run. Blocks.
///
/// # Errors
/// When a component is missing or does not start.
pub fn start(binaries: Binaries, mut settings: Vec<Setting>) -> Result<(LocalMesh, PathBuf)> {
    let limits = [
        "STAYMESH_UNCONFIRMED_UNPAID_ROOM_NIGHTS",
        "STAYMESH_GUEST_UNPAID_ROOM_NIGHTS",
        "STAYMESH_PARTNER_UNPAID_ROOM_NIGHTS",
        "STAYMESH_SOURCE_UNPAID_ROOM_NIGHTS",
        "STAYMESH_UNPAID_SHARE",
    ];
    settings.extend(limits.map(|limit| ("reservation", limit, "0".to_owned())));
    install::install(&dev_dir(), &[Component::Postgres, Component::Redis, Component::Envoy], &|line| {
        eprintln!("{line}");
    })?;
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let dir = run_dir::of_this_process("bench").join(format!("mesh-{number}"));
    let options = Options {
        dir: dir.clone(),
        binary: binaries.staymesh,
        dev_binary: binaries.staymesh_dev,
        public_port: None,
        internal_port: None,
        durability: Durability::On,
        settings,
    };
    Ok((LocalMesh::start(options, &PrintSteps)?, dir))
}

/// Prints each step of the start.
struct PrintSteps;

impl Progress for PrintSteps {
    fn begin(&self, step: &str) {
        println!("starting: {step}");
    }
}

/// Registers `count` partners, `NAME-0` and so on, with access tokens that are valid for an hour.
///
/// # Errors
/// When identity cannot be called or refuses.
pub async fn partners(mesh: LocalMesh, name: &'static str, count: usize) -> Result<(LocalMesh, Vec<Caller>)> {
    let (mesh, partners) = tokio::task::spawn_blocking(move || {
        let ids = (0..count).map(|number| format!("{name}-{number}"));
        let partners = ids.map(|id| Ok((mesh.register_partner(&id)?, id))).collect::<Result<Vec<_>>>()?;
        anyhow::Ok((mesh, partners))
    })
    .await??;
    let mut identity = AuthServiceClient::new(Endpoint::new(mesh.service_url("identity")?)?.connect().await?);
    let mut callers = Vec::with_capacity(partners.len());
    for (client_secret, client_id) in partners {
        let subject = format!("{}{client_id}", ClientId::SUBJECT_PREFIX);
        let request = IssueClientTokenRequest { grant_type: "client_credentials".into(), client_id, client_secret };
        let token = identity.issue_client_token(request).await?.into_inner();
        callers.push(Caller { subject, bearer: format!("Bearer {}", token.access_token).parse()? });
    }
    Ok((mesh, callers))
}

/// The keys with which the reservation service of `mesh` signs offers.
///
/// # Errors
/// When the secret cannot be read.
pub fn offer_keys(mesh: &LocalMesh) -> Result<OfferKeys> {
    let key = BASE64_STANDARD.encode(hex::decode(mesh.secret("offer-key")?)?);
    format!("local:{key}").parse().map_err(anyhow::Error::msg)
}

/// A pool of two connections for setup and checks, which are not part of the load.
///
/// # Errors
/// When `url` is no database URL.
pub fn connect(url: &str) -> Result<PgPool> {
    let mut config = StoreConfig::new(url.to_owned());
    config.database_max_connections = 2;
    // Checks read whole tables.
    config.database_statement_timeout = Duration::from_mins(10);
    Ok(staymesh_store::connect(&config)?)
}

/// Requires `fsync` and `synchronous_commit`: without them a run proves nothing about acknowledged writes.
///
/// # Errors
/// When one of the two is off, or the database fails.
pub async fn ensure_durable(pool: &PgPool) -> Result<()> {
    let durable: (String, String) =
        sqlx::query_as("select current_setting('fsync'), current_setting('synchronous_commit')")
            .fetch_one(pool)
            .await?;
    ensure!(durable == ("on".into(), "on".into()), "fsync and synchronous_commit must be on");
    Ok(())
}
