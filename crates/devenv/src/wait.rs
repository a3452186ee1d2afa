//! Polling for a condition with a deadline.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Polling interval.
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// Timeout of one HTTP probe.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Polls `probe` every 20 ms until it returns a value. `what` names the condition in the error.
///
/// # Errors
///
/// After `limit`, or at once with the error of `probe`, which means that the condition can no longer become true.
pub fn wait_until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("{what}: not within {} s", limit.as_secs_f32());
        }
        sleep(PROBE_EVERY);
    }
}

/// Whether an HTTP/1.1 server answers `GET path` with 200 within 2 s; for readiness probes.
pub fn http_ok(server: SocketAddr, path: &str) -> bool {
    let probe = || -> Result<String> {
        let mut connection = TcpStream::connect_timeout(&server, ANSWER_LIMIT)?;
        connection.set_read_timeout(Some(ANSWER_LIMIT))?;
        write!(connection, "GET {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n")?;
        let mut status = [0_u8; 12];
        connection.read_exact(&mut status)?;
        Ok(String::from_utf8_lossy(&status).into_owned())
    };
    probe().is_ok_and(|status| status.starts_with("HTTP/1.") && status.ends_with(" 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_until_returns_value_error_or_timeout() {
        let mut polls = 0;
        let third = wait_until("third poll", Duration::from_secs(5), || {
            polls += 1;
            Ok((polls == 3).then_some(polls))
        });
        assert_eq!(third.ok(), Some(3));

        let failed: Result<()> = wait_until("never", Duration::from_mins(1), || bail!("it exited"));
        assert_eq!(failed.map_err(|e| e.to_string()), Err("it exited".to_owned()));

        let late: Result<()> = wait_until("a sign of life", Duration::from_millis(30), || Ok(None));
        assert!(late.is_err_and(|e| e.to_string().starts_with("a sign of life: not within")));
    }
}
