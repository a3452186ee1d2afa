//! Child processes with a log file and a bounded stop, which never outlive the process that started them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, kill_process, kill_process_group};

pub use rustix::process::Signal;

use crate::account::Account;
use crate::spawner;
use crate::wait::wait_until;

/// Grace period between the stop signal and SIGKILL.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Length of the log excerpt in the error of a failed process.
const TAIL_LINES: usize = 20;
const TAIL_BYTES: u64 = 64 * 1024;

/// Run by `sh` between `setpriv` and the program. The kernel signals only parent deaths that happen after `setpriv` set
/// the parent-death signal. If the parent (`$0`) died before that, this process has another parent and must not start.
const UNLESS_ORPHAN: &str = r#"test "$PPID" -eq "$0" && exec "$@""#;

/// Builder of a child process; [`Launch::spawn`] starts it.
#[derive(Debug, Clone)]
pub struct Launch {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    clean_env: bool,
    dir: Option<PathBuf>,
    log: Option<PathBuf>,
    account: Option<Account>,
    stop_signal: Signal,
    death_signal: &'static str,
}

impl Launch {
    /// A process to start. `name` is shown in messages, `program` is a path or a name on PATH.
    pub fn new(name: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            clean_env: false,
            dir: None,
            log: None,
            account: None,
            stop_signal: Signal::TERM,
            death_signal: "TERM",
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable, on top of those inherited.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Drops inherited variables whose names start with `STAYMESH_`, so that a developer's shell cannot configure the
    /// process.
    #[must_use]
    pub fn without_inherited_settings(mut self) -> Self {
        self.clean_env = true;
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Appends standard output and error to this file, whose directory is created if needed. Without a log they are
    /// inherited.
    #[must_use]
    pub fn log(mut self, log: impl Into<PathBuf>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// The stop signal. TERM by default.
    #[must_use]
    pub fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// The signal that the kernel sends when the parent process has ended, by its name for `setpriv`.
    pub(crate) fn death_signal(mut self, name: &'static str) -> Self {
        self.death_signal = name;
        self
    }

    pub(crate) fn account(mut self, account: Option<Account>) -> Self {
        self.account = account;
        self
    }

    /// Starts the process, in a process group of its own: Ctrl-C in the terminal signals only the parent, which can then
    /// stop its children in order.
    ///
    /// # Errors
    ///
    /// If the program or `setpriv` is missing, or the log cannot be opened.
    pub fn spawn(self) -> Result<Process> {
        if find_program(&self.program).is_none() {
            bail!("{}: there is no program {}", self.name, self.program.display());
        }
        let mut command = Command::new("setpriv");
        command.arg(format!("--pdeathsig={}", self.death_signal));
        if let Some(account) = &self.account {
            command.args(account.setpriv_args());
        }
        command.args(["--", "sh", "-c", UNLESS_ORPHAN]).arg(std::process::id().to_string());
        command.arg(&self.program).args(&self.args);
        if self.clean_env {
            let inherited = std::env::vars_os().map(|(name, _)| name);
            inherited.filter(|n| n.as_encoded_bytes().starts_with(b"STAYMESH_")).for_each(|n| {
                command.env_remove(n);
            });
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        let mut log_start = 0;
        if let Some(log) = &self.log {
            let file = open_log(log)?;
            log_start = file.metadata()?.len();
            command.stdout(file.try_clone()?).stderr(file);
        }
        command.stdin(Stdio::null()).process_group(0);
        let child = spawner::spawn(command)
            .with_context(|| format!("starting {} through `setpriv` (Debian package util-linux)", self.name))?;
        Ok(Process { name: self.name, child, log: self.log, log_start, stop_signal: self.stop_signal })
    }
}

fn open_log(log: &Path) -> Result<File> {
    if let Some(dir) = log.parent() {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    }
    OpenOptions::new().create(true).append(true).open(log).with_context(|| format!("opening {}", log.display()))
}

/// The path of a program if it exists. A bare name is searched for on PATH.
pub fn find_program(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return program.is_file().then(|| program.to_path_buf());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|candidate| candidate.is_file())
}

/// A running child. Dropping it stops it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: Option<PathBuf>,
    /// The offset in bytes at which this run's lines start; earlier runs may have written to the same log.
    log_start: u64,
    stop_signal: Signal,
}

impl Process {
    /// The name it was launched under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The exit status; `None` while the process runs.
    ///
    /// # Errors
    ///
    /// If the operating system refuses the status.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Checks that the process runs; used while waiting for it to be ready.
    ///
    /// # Errors
    ///
    /// If the process has ended, with the last lines of its log.
    pub fn check_running(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}){}", self.name, self.log_tail()),
        }
    }

    /// The last lines that this run wrote to its log, to be appended to a message; empty without a log.
    pub fn log_tail(&self) -> String {
        let Some(log) = &self.log else { return String::new() };
        let lines = read_tail(log, self.log_start).unwrap_or_else(|e| format!("(no log: {e})"));
        format!("; the last lines of its log:\n{lines}\n  (whole log: {})", log.display())
    }

    /// Sends a signal, for example STOP and CONT to freeze and resume a process. Does nothing if the process has ended.
    ///
    /// # Errors
    ///
    /// If the operating system refuses to send it.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        // The process is not reaped yet, so its id cannot belong to another process.
        if let Some(pid) = self.pid_if_running() {
            kill_process(pid, signal).with_context(|| format!("signalling {}", self.name))?;
        }
        Ok(())
    }

    /// Sends the stop signal, waits up to 30 s, then kills the process. Returns its exit status.
    ///
    /// # Errors
    ///
    /// If the process cannot be signalled.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.stop_with(self.stop_signal, STOP_LIMIT)
    }

    /// As [`Process::stop`], with another signal and grace period.
    ///
    /// # Errors
    ///
    /// As [`Process::stop`].
    pub fn stop_with(&mut self, signal: Signal, limit: Duration) -> Result<ExitStatus> {
        self.signal(signal)?;
        match wait_until("stopping", limit, || Ok(self.child.try_wait()?)) {
            Ok(status) => Ok(status),
            Err(_) => self.kill_now(),
        }
    }

    /// Sends SIGKILL to the process group. Returns the exit status of the process.
    ///
    /// # Errors
    ///
    /// If the process cannot be signalled.
    pub fn kill_now(&mut self) -> Result<ExitStatus> {
        if let Some(pid) = self.pid_if_running() {
            kill_process_group(pid, Signal::KILL).with_context(|| format!("killing {}", self.name))?;
        }
        Ok(self.child.wait()?)
    }

    fn pid_if_running(&mut self) -> Option<Pid> {
        let running = self.is_running();
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).filter(|_| running)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A drop cannot report a failure; a child that cannot be signalled has ended.
        let _ = self.stop();
    }
}

fn read_tail(log: &Path, start: u64) -> Result<String> {
    let mut file = File::open(log)?;
    let end = file.metadata()?.len();
    file.seek(SeekFrom::Start(start.max(end.saturating_sub(TAIL_BYTES))))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..]
        .iter()
        .map(|l| format!("  | {l}"))
        .collect::<Vec<_>>()
        .join("\n"))
}
