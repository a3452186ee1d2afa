//! Free loopback ports.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// Ports are taken from below the range in which Linux picks the source ports of outgoing connections (32768 and up):
/// a part that is stopped for an outage test must find its own port free when it comes back, and no other process's
/// connection can sit on one of these by chance.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// A port of 127.0.0.1 on which nobody listens now.
///
/// Somebody may take it before the caller does, so whoever starts a process on it should be ready to try another.
pub fn free_port() -> Result<u16> {
    for _ in 0..200 {
        // The hasher's keys are random, which spares a dependency; any spread will do.
        let spread = RandomState::new().hash_one(()) % u64::from(COUNT);
        let port = FIRST + u16::try_from(spread)?;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("no free port between {FIRST} and {} on 127.0.0.1", FIRST + COUNT)
}

/// Whether a process could listen on this port of 127.0.0.1 now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free() -> Result<()> {
        let port = free_port()?;
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        assert!(!is_free(port));
        drop(taken);
        assert!(is_free(port));
        Ok(())
    }
}
