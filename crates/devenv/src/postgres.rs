//! A private PostgreSQL server.

use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::account::Account;
use crate::install::PostgresBinaries;
use crate::port::free_port;
use crate::process::{Launch, Process, Signal};
use crate::secret::keep_secret;
use crate::wait::wait_until;

/// Timeout of a start, crash recovery included.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// Retries of a start after a transient failure: the port was just taken, the predecessor still shuts down.
const START_ATTEMPTS: usize = 25;
const PAUSE_BETWEEN_STARTS: Duration = Duration::from_millis(200);

/// Whether committed transactions survive a power failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// As in production.
    #[default]
    On,
    /// `fsync` and `full_page_writes` are off, which makes tests several times faster. Committed transactions still
    /// survive the crash of any process, since the operating system holds the pages; only the machine must not crash.
    Off,
}

/// Configuration of a server.
#[derive(Debug, Clone, Default)]
pub struct PostgresOptions {
    /// The port on 127.0.0.1; `None` takes a free one.
    pub port: Option<u16>,
    /// [`Durability::On`] by default.
    pub durability: Durability,
    /// Further settings of `postgresql.conf`; they override those made here.
    pub settings: Vec<(String, String)>,
}

/// A private server that listens on loopback only, with a random password. Dropping it stops it.
#[derive(Debug)]
pub struct Postgres {
    dir: PathBuf,
    binaries: PostgresBinaries,
    account: Option<Account>,
    options: PostgresOptions,
    port: u16,
    password: String,
    process: Option<Process>,
}

impl Postgres {
    /// Starts a server whose files are in `dir`. An empty or missing directory is initialised, an existing cluster is
    /// reused. Returns when the server accepts connections.
    ///
    /// PostgreSQL refuses to run as root. If this process is root, the server runs as the account `postgres`, which
    /// becomes the owner of `dir`.
    ///
    /// # Errors
    ///
    /// If PostgreSQL is not installed, the cluster is of another major version, the given port is in use, or the server
    /// does not start within 60 s.
    pub fn start(dir: &Path, options: PostgresOptions) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let dir = dir.canonicalize()?;
        let account = Account::for_postgres()?;
        let account = account.map(|account| -> Result<Account> {
            chown(&dir, Some(account.uid), Some(account.gid)).context("giving PostgreSQL its directory")?;
            account.reaching(&dir)
        });
        let account = account.transpose()?;
        let binaries = PostgresBinaries::find()?;
        let password = keep_password(&dir, account.as_ref())?;
        let port = options.port.map_or_else(free_port, Ok)?;
        let mut server = Self { dir, binaries, account, options, port, password, process: None };
        server.initialise()?;
        server.resume()?;
        Ok(server)
    }

    /// The URL of a database on this server, for its superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Creates a database and a login role of the same name that owns it, and returns the database's URL for that role.
    /// Other roles without superuser rights cannot connect to it. Idempotent.
    ///
    /// `name` is an identifier of lower-case letters, digits and underscores.
    ///
    /// # Errors
    ///
    /// If `name` is another identifier, or a statement fails.
    pub fn ensure_database(&self, name: &str) -> Result<String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        ensure!(!name.is_empty() && name.chars().all(plain), "{name} is not a plain name for a database");
        let password = &self.password;
        self.psql(&format!(
            "select 'create role {name} login' where not exists (select from pg_roles where rolname = '{name}') \\gexec\n\
             alter role {name} password '{password}';\n\
             select 'create database {name} owner {name}' \
             where not exists (select from pg_database where datname = '{name}') \\gexec\n\
             revoke connect on database {name} from public;\n"
        ))?;
        Ok(format!("postgres://{name}:{password}@127.0.0.1:{}/{name}", self.port))
    }

    /// A command that runs one of the installation's client programs, for example `pgbench`, connected as the superuser.
    /// The program may not be installed.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.program(program));
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGDATABASE", "postgres")
            .env("PGPASSWORD", &self.password)
            .env("PGCONNECT_TIMEOUT", "10");
        command
    }

    /// Runs a script as the superuser. It is passed on standard input, so that no password shows in the process list.
    fn psql(&self, script: &str) -> Result<()> {
        let mut psql = self
            .client("psql")
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("running psql")?;
        // Dropped after writing, which ends the script.
        psql.stdin.take().context("psql has no input")?.write_all(script.as_bytes())?;
        let output = psql.wait_with_output()?;
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(())
    }

    /// The port on 127.0.0.1. It stays the same over [`Postgres::stop`] and [`Postgres::resume`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.dir.join("postgres.log")
    }

    /// The server process; `None` while stopped.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Stops the server (fast shutdown): connections are closed, open transactions are rolled back, commits are kept.
    ///
    /// # Errors
    ///
    /// If the process cannot be signalled.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop().map(drop))
    }

    /// Kills the server with SIGKILL, as a crash would; [`Postgres::resume`] then runs crash recovery.
    ///
    /// # Errors
    ///
    /// If the process cannot be signalled.
    pub fn kill_now(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill_now().map(drop))
    }

    /// Starts a stopped server again, with the same port and data. Does nothing if it runs.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn resume(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(Process::is_running) {
            return Ok(());
        }
        for _ in 0..START_ATTEMPTS {
            self.clear_predecessor()?;
            let mut process = self.launch()?;
            let Err(error) = self.wait_ready(&mut process) else {
                self.process = Some(process);
                return Ok(());
            };
            let message = error.to_string();
            let port_taken = message.contains("Address already in use");
            // After a crash the old backends take a moment to notice that their postmaster has ended.
            let old_workers = message.contains("shared memory block");
            if port_taken && self.options.port.is_none() {
                self.port = free_port()?;
            } else if !port_taken && !old_workers {
                return Err(error);
            }
            sleep(PAUSE_BETWEEN_STARTS);
        }
        bail!(
            "PostgreSQL does not start on port {}: the port is in use, or another server uses {}; see {}",
            self.port,
            self.data().display(),
            self.log().display()
        )
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// Creates the database cluster if there is none: under a temporary name first, so that a partial one is never used.
    fn initialise(&self) -> Result<()> {
        let version_file = self.data().join("PG_VERSION");
        if let Ok(version) = fs::read_to_string(&version_file) {
            let (ours, theirs) = (self.binaries.major, version.trim());
            ensure!(
                theirs == ours.to_string(),
                "{} was made by PostgreSQL {theirs} and this is {ours}: remove that directory to start afresh",
                self.data().display()
            );
            return Ok(());
        }
        let fresh = self.dir.join("data.new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh)?;
        }
        let mut command = match &self.account {
            Some(account) => {
                let mut command = Command::new("setpriv");
                command.args(account.setpriv_args()).arg("--").arg(self.binaries.program("initdb"));
                command
            }
            None => Command::new(self.binaries.program("initdb")),
        };
        command
            .args(["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg(format!("--pwfile={}", self.dir.join("password").display()))
            .arg("--pgdata")
            .arg(&fresh)
            .current_dir(&self.dir);
        if self.options.durability == Durability::Off {
            command.arg("--no-sync");
        }
        let output = command.output().context("running initdb")?;
        ensure!(
            output.status.success(),
            "initdb failed in {}:\n{}{}",
            self.dir.display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        fs::rename(&fresh, self.data()).context("putting the new cluster in place")
    }

    fn launch(&self) -> Result<Process> {
        let mut settings = vec![
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("unix_socket_directories", String::new()),
            ("port", self.port.to_string()),
            ("max_connections", "300".to_owned()),
            // Logical decoding feeds caches and the change feed; switching it on later needs a restart.
            ("wal_level", "logical".to_owned()),
            ("timezone", "UTC".to_owned()),
            ("log_timezone", "UTC".to_owned()),
            // The DETAIL of a refused statement holds the values of the row: names and e-mail addresses of guests.
            ("log_error_verbosity", "terse".to_owned()),
            // So do statements with values instead of parameters, as people and tests type them.
            ("log_min_error_statement", "panic".to_owned()),
            ("log_parameter_max_length", "0".to_owned()),
            ("log_parameter_max_length_on_error", "0".to_owned()),
        ];
        if self.options.durability == Durability::Off {
            settings.push(("fsync", "off".to_owned()));
            settings.push(("full_page_writes", "off".to_owned()));
        }
        let given = self.options.settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
        let settings = settings.into_iter().chain(given).flat_map(|(n, v)| ["-c".to_owned(), format!("{n}={v}")]);
        Launch::new("PostgreSQL", self.binaries.program("postgres"))
            .args(["-D".as_ref(), self.data().as_os_str()])
            .args(settings)
            .dir(&self.dir)
            .log(self.log())
            .account(self.account.clone())
            // INT is the fast shutdown; TERM would wait for clients to disconnect.
            .stop_signal(Signal::INT)
            // QUIT ends at once; the next start recovers, as after a crash.
            .death_signal("QUIT")
            .spawn()
    }

    /// Waits until the server writes "ready" to its pid file. A TCP probe could be answered by another process that took
    /// the port.
    fn wait_ready(&self, process: &mut Process) -> Result<()> {
        let pid_file = self.data().join("postmaster.pid");
        let ready = wait_until("PostgreSQL accepts connections", READY_LIMIT, || {
            process.check_running()?;
            let status = fs::read_to_string(&pid_file).unwrap_or_default();
            let lines: Vec<&str> = status.lines().map(str::trim).collect();
            let ours = lines.first().is_some_and(|pid| *pid == process.pid().to_string());
            Ok((ours && lines.get(7) == Some(&"ready")).then_some(()))
        });
        ready.with_context(|| format!("see {}", self.log().display())).map_err(|e| anyhow::anyhow!("{e:#}"))
    }

    /// Removes the pid file of a server that has ended. PostgreSQL does so itself unless another process has the same id
    /// by now, as happens after a reboot.
    fn clear_predecessor(&self) -> Result<()> {
        let pid_file = self.data().join("postmaster.pid");
        let Ok(text) = fs::read_to_string(&pid_file) else { return Ok(()) };
        let pid = text.lines().next().unwrap_or_default().trim().to_owned();
        let serves_this = || {
            let at = fs::read_link(format!("/proc/{pid}/cwd"));
            !pid.is_empty() && at.is_ok_and(|cwd| cwd == self.data())
        };
        let ended = wait_until("its predecessor ends", Duration::from_secs(10), || Ok((!serves_this()).then_some(())));
        ensure!(
            ended.is_ok(),
            "another PostgreSQL (process {pid}) still serves {}; stop it first: kill -INT {pid}",
            self.data().display()
        );
        fs::remove_file(&pid_file).with_context(|| format!("removing {}", pid_file.display()))
    }
}

/// The superuser's password, in a file that the server's account can read.
fn keep_password(dir: &Path, owner: Option<&Account>) -> Result<String> {
    let path = dir.join("password");
    let password = keep_secret(&path)?;
    if let Some(owner) = owner {
        chown(&path, Some(owner.uid), Some(owner.gid))?;
    }
    Ok(password)
}
