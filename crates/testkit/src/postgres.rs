//! A private database for each test, on a real PostgreSQL server.
//!
//! The server is that of `STAYMESH_TEST_POSTGRES_URL` (a superuser's URL), which `cargo xtask test` sets. Without it each
//! test process starts a private server below `.dev/test/` from the installed PostgreSQL. The kernel ends it with the
//! process; the next process reuses its files.
//!
//! Migrations run once for each set of migrations, into a template database. Each test gets a copy of the template,
//! which takes a few dozen milliseconds.

use std::fs::{self, File};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};
use staymesh_devenv::{Durability, Postgres, PostgresOptions, dev_dir};
use tokio::sync::OnceCell;
use url::Url;

const SERVER_VARIABLE: &str = "STAYMESH_TEST_POSTGRES_URL";
const TEST_PREFIX: &str = "staymesh_test_";
const TEMPLATE_PREFIX: &str = "staymesh_template_";
/// No test runs this long; an older database was left by a process that was killed.
const STALE: Duration = Duration::from_hours(2);
/// `lock_timeout`: the longest wait for another process that creates the same template.
const LOCK_TIMEOUT: &str = "60s";

/// Longest time that a test waits for its database to be dropped; a drop takes a tenth of it.
const DROP_LIMIT: Duration = Duration::from_secs(1);

/// A migrated database for one test; dropping the value drops the database.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    url: String,
    /// Whether a role of the same name owns it.
    owned: bool,
    maintenance_url: String,
    pool: PgPool,
}

impl TestDatabase {
    /// A database with these migrations applied, owned by the superuser. `service` is only a part of its name.
    ///
    /// # Errors
    ///
    /// If the server is not reachable or a migration fails.
    pub async fn new(service: &str, migrator: &Migrator) -> Result<Self> {
        let server = server().await?;
        let mut admin = connect(&server.url("postgres")).await?;
        let template = ensure_template(&mut admin, server, service, migrator).await?;
        let name = fresh_name(service)?;
        execute(&mut admin, format!(r#"create database "{name}" template "{template}""#)).await?;
        admin.close().await?;
        let url = server.url(&name);
        let pool = pool(&url).await?;
        Ok(Self { name, url, owned: false, maintenance_url: server.url("postgres"), pool })
    }

    /// A database as an installation has it: a role without superuser rights owns it, applies the migrations and opens
    /// the connections. Slower than [`Self::new`], since no template is used.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub async fn owned(service: &str, migrator: &Migrator) -> Result<Self> {
        let server = server().await?;
        let mut admin = connect(&server.url("postgres")).await?;
        let name = fresh_name(service)?;
        let password = uuid::Uuid::new_v4().simple().to_string();
        execute(&mut admin, format!(r#"create role "{name}" login password '{password}'"#)).await?;
        execute(&mut admin, format!(r#"create database "{name}" owner "{name}""#)).await?;
        admin.close().await?;
        let mut url = Url::parse(&server.url(&name))?;
        let credentials = url.set_username(&name).and_then(|()| url.set_password(Some(&password)));
        anyhow::ensure!(credentials.is_ok(), "{SERVER_VARIABLE} cannot hold a user name");
        let mut owner = connect(url.as_str()).await?;
        migrator.run_direct(None, &mut owner, false).await?;
        owner.close().await?;
        let pool = pool(url.as_str()).await?;
        Ok(Self { name, url: url.into(), owned: true, maintenance_url: server.url("postgres"), pool })
    }

    /// Connections for the test itself, to inspect what the code under test has written.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// `postgres://...`, as the superuser or the owner, for code under test that opens its own connections.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database's name on its server.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = format!(r#"drop database if exists "{}" with (force)"#, self.name);
        let role = self.owned.then(|| format!(r#"drop role if exists "{}""#, self.name));
        let url = self.maintenance_url.clone();
        // The test's runtime may be shutting down, so this uses its own. A failure is harmless: the next process drops
        // leftovers when it starts.
        let (done, finished) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            // Ends the wait below however this thread ends.
            let _done = done;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut admin = connect(&url).await?;
                execute(&mut admin, statement).await?;
                match role {
                    Some(role) => execute(&mut admin, role).await,
                    None => Ok(()),
                }
            })
        });
        // Not longer: the server cannot drop a database while a connection of the test's runtime is in authentication, and
        // that runtime ends only after this. Without a limit, each such test would take a minute, `authentication_timeout`.
        let _ = finished.recv_timeout(DROP_LIMIT);
    }
}

fn fresh_name(service: &str) -> Result<String> {
    let random = uuid::Uuid::new_v4().simple().to_string();
    let name = format!("{TEST_PREFIX}{service}_{}_{}", seconds_since_1970(), &random[..12]);
    // PostgreSQL truncates names after 63 bytes, which would cut off the random part.
    anyhow::ensure!(name.len() <= 63, "the service name {service} is too long for a test database");
    Ok(name)
}

async fn pool(url: &str) -> Result<PgPool> {
    Ok(PgPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(20)).connect(url).await?)
}

/// The server that holds the test databases.
struct Server {
    url: Url,
    private: Option<Private>,
}

/// A server of this process, and the lock on its files.
struct Private {
    _postgres: Postgres,
    _lock: File,
}

impl Server {
    fn url(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        url.into()
    }
}

/// The one server of this process.
async fn server() -> Result<&'static Server> {
    static SERVER: OnceCell<Server> = OnceCell::const_new();
    SERVER
        .get_or_try_init(|| async {
            let server = match std::env::var(SERVER_VARIABLE) {
                Ok(url) => {
                    let url = Url::parse(&url).with_context(|| format!("{SERVER_VARIABLE} is not a URL"))?;
                    Server { url, private: None }
                }
                Err(_) => tokio::task::spawn_blocking(start_private_server).await??,
            };
            // Databases on a private server are leftovers of earlier processes.
            let stale = if server.private.is_some() { Duration::ZERO } else { STALE };
            drop_leftovers(&server, stale).await?;
            Ok(server)
        })
        .await
}

/// Starts a server in the first directory that no other process has locked. The kernel releases the lock with this
/// process.
fn start_private_server() -> Result<Server> {
    let dir = dev_dir().join("test");
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    for slot in 0.. {
        let lock = File::create(dir.join(format!("postgres-{slot}.lock")))?;
        if lock.try_lock().is_ok() {
            let options = PostgresOptions { durability: Durability::Off, ..PostgresOptions::default() };
            let postgres = Postgres::start(&dir.join(format!("postgres-{slot}")), options)
                .with_context(|| format!("starting PostgreSQL for tests; or set {SERVER_VARIABLE}"))?;
            let url = Url::parse(&postgres.url("postgres"))?;
            return Ok(Server { url, private: Some(Private { _postgres: postgres, _lock: lock }) });
        }
    }
    unreachable!("there are more slots than processes")
}

/// Drops test databases older than `age`, by the time in their names.
async fn drop_leftovers(server: &Server, age: Duration) -> Result<()> {
    let mut admin = connect(&server.url("postgres")).await?;
    let names: Vec<String> = sqlx::query_scalar("select datname from pg_database where starts_with(datname, $1)")
        .bind(TEST_PREFIX)
        .fetch_all(&mut admin)
        .await?;
    let before = seconds_since_1970().saturating_sub(age.as_secs());
    for name in names {
        let made: Option<u64> = name.rsplit('_').nth(1).and_then(|seconds| seconds.parse().ok());
        if made.is_some_and(|made| made <= before) {
            // Another process may be dropping it as well.
            let _ = execute(&mut admin, format!(r#"drop database if exists "{name}" with (force)"#)).await;
            let _ = execute(&mut admin, format!(r#"drop role if exists "{name}""#)).await;
        }
    }
    Ok(admin.close().await?)
}

/// Creates the template database of these migrations unless it exists, and returns its name. A template accepts no
/// connections, so that it can be copied at any time. An advisory lock serialises concurrent processes.
async fn ensure_template(admin: &mut PgConnection, server: &Server, service: &str, set: &Migrator) -> Result<String> {
    let name = format!("{TEMPLATE_PREFIX}{service}_{}", fingerprint(set));
    if is_template(admin, &name).await? {
        return Ok(name);
    }
    sqlx::query("select pg_advisory_lock(hashtextextended($1, 0))").bind(&name).execute(&mut *admin).await?;
    let made = if is_template(admin, &name).await? { Ok(()) } else { make_template(admin, server, &name, set).await };
    sqlx::query("select pg_advisory_unlock(hashtextextended($1, 0))").bind(&name).execute(&mut *admin).await?;
    made.with_context(|| format!("migrating a template database for {service}"))?;
    Ok(name)
}

async fn is_template(admin: &mut PgConnection, name: &str) -> Result<bool> {
    let ready = sqlx::query_scalar("select datistemplate from pg_database where datname = $1");
    Ok(ready.bind(name).fetch_optional(admin).await?.unwrap_or(false))
}

async fn make_template(admin: &mut PgConnection, server: &Server, name: &str, set: &Migrator) -> Result<()> {
    // A database of this name that is no template yet was left incomplete by a killed process.
    execute(admin, format!(r#"drop database if exists "{name}" with (force)"#)).await?;
    execute(admin, format!(r#"create database "{name}""#)).await?;
    let mut connection = connect(&server.url(name)).await?;
    set.run_direct(None, &mut connection, false).await?;
    connection.close().await?;
    execute(admin, format!(r#"alter database "{name}" with is_template true allow_connections false"#)).await
}

fn fingerprint(set: &Migrator) -> String {
    let mut sha = Sha256::new();
    for migration in set.iter() {
        sha.update(migration.version.to_be_bytes());
        sha.update(&migration.checksum);
    }
    hex::encode(&sha.finalize()[..8])
}

async fn connect(url: &str) -> Result<PgConnection> {
    let mut connection = PgConnection::connect(url).await.context("connecting to the PostgreSQL for tests")?;
    execute(&mut connection, format!("set lock_timeout = '{LOCK_TIMEOUT}'")).await?;
    Ok(connection)
}

/// Runs a statement without parameters. All names in it are generated in this module.
async fn execute(connection: &mut PgConnection, statement: String) -> Result<()> {
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr;
    use sqlx::migrate::{Migration, MigrationType};

    use super::*;

    fn migrations() -> Migrator {
        let sql = "create table thing (id integer constraint thing_pkey primary key)".into_sql_str();
        Migrator::with_migrations(vec![Migration::new(1, "thing".into(), MigrationType::Simple, sql, false)])
    }

    #[tokio::test]
    async fn new_databases_are_migrated_and_isolated() {
        let migrator = migrations();
        let (one, other) =
            tokio::join!(TestDatabase::new("testkit", &migrator), TestDatabase::new("testkit", &migrator));
        let (one, other) = (one.unwrap(), other.unwrap());
        sqlx::query("insert into thing values (1)").execute(one.pool()).await.unwrap();
        let count: i64 = sqlx::query_scalar("select count(*) from thing").fetch_one(other.pool()).await.unwrap();
        assert_eq!(count, 0);
    }

    #[tokio::test]
    async fn drop_removes_the_database() {
        let database = TestDatabase::new("testkit", &migrations()).await.unwrap();
        let (name, url) = (database.name().to_owned(), database.maintenance_url.clone());
        drop(database);
        let left: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut connect(&url).await.unwrap())
            .await
            .unwrap();
        assert!(!left);
    }

    #[tokio::test]
    async fn owned_database_has_owner_without_superuser_rights_and_drops_both() {
        let database = TestDatabase::owned("testkit", &migrations()).await.unwrap();
        let query =
            "select current_user::text, rolsuper, (select tableowner::text from pg_tables where tablename = 'thing')
             from pg_roles where rolname = current_user";
        let seen: (String, bool, String) = sqlx::query_as(query).fetch_one(database.pool()).await.unwrap();
        assert_eq!(seen, (database.name().to_owned(), false, database.name().to_owned()));
        let (name, url) = (database.name().to_owned(), database.maintenance_url.clone());
        drop(database);
        let left: i64 = sqlx::query_scalar("select (select count(*) from pg_database where datname = $1) + (select count(*) from pg_roles where rolname = $1)")
            .bind(name)
            .fetch_one(&mut connect(&url).await.unwrap())
            .await
            .unwrap();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn failing_migration_is_named_in_the_error() {
        let sql = "create table broken (".into_sql_str();
        let broken = Migrator::with_migrations(vec![Migration::new(7, "x".into(), MigrationType::Simple, sql, false)]);
        for _ in 0..2 {
            let error = TestDatabase::new("testkit", &broken).await.unwrap_err();
            assert!(format!("{error:#}").contains("migration 7"), "{error:#}");
        }
    }
}
