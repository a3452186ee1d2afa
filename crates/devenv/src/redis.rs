//! A private Redis server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, str};

use anyhow::{Context, Result, bail};

use crate::install::redis_server;
use crate::port::free_port;
use crate::process::{Launch, Process};
use crate::wait::wait_until;

const READY_LIMIT: Duration = Duration::from_secs(20);
const START_ATTEMPTS: usize = 5;
const ANSWER_LIMIT: Duration = Duration::from_secs(1);

/// A private server on loopback without persistence, as a cache runs. Dropping it stops it.
#[derive(Debug)]
pub struct Redis {
    dir: PathBuf,
    program: PathBuf,
    port: u16,
    port_is_given: bool,
    process: Option<Process>,
}

impl Redis {
    /// Starts a server with its log in `dir`, on the given port of 127.0.0.1 or a free one. Returns when it answers `INFO`.
    ///
    /// # Errors
    ///
    /// If Redis is not installed, the given port is in use, or the server does not answer within 20 s.
    pub fn start(dir: &Path, port: Option<u16>) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let mut server = Self {
            dir: dir.canonicalize()?,
            program: redis_server()?,
            port: port.map_or_else(free_port, Ok)?,
            port_is_given: port.is_some(),
            process: None,
        };
        server.resume()?;
        Ok(server)
    }

    /// The server's URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port on 127.0.0.1. It stays the same over [`Redis::stop`] and [`Redis::resume`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server process; `None` while stopped.
    pub fn process(&mut self) -> Option<&mut Process> {
        self.process.as_mut()
    }

    /// Stops the server; its content is lost.
    ///
    /// # Errors
    ///
    /// If the process cannot be signalled.
    pub fn stop(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.stop().map(drop))
    }

    /// Kills the server with SIGKILL, as a crash would.
    ///
    /// # Errors
    ///
    /// If the process cannot be signalled.
    pub fn kill_now(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |mut process| process.kill_now().map(drop))
    }

    /// Starts a stopped server again, empty, on the same port. Does nothing if it runs.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn resume(&mut self) -> Result<()> {
        if self.process.as_mut().is_some_and(Process::is_running) {
            return Ok(());
        }
        for _ in 0..START_ATTEMPTS {
            let mut process = self.launch()?;
            match self.wait_ready(&mut process) {
                Ok(()) => {
                    self.process = Some(process);
                    return Ok(());
                }
                Err(error) if error.to_string().contains("in use") && !self.port_is_given => self.port = free_port()?,
                Err(error) => return Err(error),
            }
        }
        bail!("Redis found no free port; see {}", self.dir.join("redis.log").display())
    }

    fn launch(&self) -> Result<Process> {
        Launch::new("Redis", &self.program)
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .args(["--dir".as_ref(), self.dir.as_os_str()])
            .log(self.dir.join("redis.log"))
            .spawn()
    }

    fn wait_ready(&self, process: &mut Process) -> Result<()> {
        wait_until("Redis answers", READY_LIMIT, || {
            let answers = self.serves(process.pid());
            process.check_running()?;
            Ok(answers.then_some(()))
        })
    }

    /// Whether the server that answers on the port is the process `pid`, and not one of another process.
    fn serves(&self, pid: u32) -> bool {
        let query = || -> Result<String> {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
            let mut connection = TcpStream::connect_timeout(&address, ANSWER_LIMIT)?;
            connection.set_read_timeout(Some(ANSWER_LIMIT))?;
            connection.write_all(b"INFO server\r\nQUIT\r\n")?;
            let mut answer = Vec::new();
            connection.read_to_end(&mut answer)?;
            Ok(str::from_utf8(&answer)?.to_owned())
        };
        let id = format!("process_id:{pid}");
        query().is_ok_and(|answer| answer.lines().any(|line| line == id))
    }
}
