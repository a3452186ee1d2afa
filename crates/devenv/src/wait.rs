//! Waiting for a condition, never for a time.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at. Short enough not to be felt, long enough to cost nothing.
const PROBE_EVERY: Duration = Duration::from_millis(20);
/// How long one question may take before it counts as not answered.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// Looks at `probe` until it yields a value, and gives up after `limit`, saying what it waited for.
///
/// An error of `probe` ends the wait at once: it means that the condition can no longer become true.
pub fn wait_until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let give_up = Instant::now() + limit;
    loop {
        if let Some(value) = probe()? {
            return Ok(value);
        }
        if Instant::now() >= give_up {
            bail!("{what}: not within {} s", limit.as_secs_f32());
        }
        sleep(PROBE_EVERY);
    }
}

/// Whether a plain HTTP server answers `GET path` with 200; made for health checks.
pub fn http_ok(server: SocketAddr, path: &str) -> bool {
    let ask = || -> Result<String> {
        let mut connection = TcpStream::connect_timeout(&server, ANSWER_LIMIT)?;
        connection.set_read_timeout(Some(ANSWER_LIMIT))?;
        write!(connection, "GET {path} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n")?;
        let mut status = [0_u8; 12];
        connection.read_exact(&mut status)?;
        Ok(String::from_utf8_lossy(&status).into_owned())
    };
    ask().is_ok_and(|status| status.starts_with("HTTP/1.") && status.ends_with(" 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_with_the_value_the_error_or_the_limit() {
        let mut looks = 0;
        let third = wait_until("third look", Duration::from_secs(5), || {
            looks += 1;
            Ok((looks == 3).then_some(looks))
        });
        assert_eq!(third.ok(), Some(3));

        let failed: Result<()> = wait_until("never", Duration::from_mins(1), || bail!("it exited"));
        assert_eq!(failed.map_err(|e| e.to_string()), Err("it exited".to_owned()));

        let late: Result<()> = wait_until("a sign of life", Duration::from_millis(30), || Ok(None));
        assert!(late.is_err_and(|e| e.to_string().starts_with("a sign of life: not within")));
    }
}
