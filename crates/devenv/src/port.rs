//! Free loopback ports.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, bail};

/// Ports are taken from below the range in which Linux picks the source ports of outgoing connections (32768 and up):
/// a component that is stopped for an outage test must find its own port free when it restarts, and no outgoing
/// connection of another process can occupy one of these.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// The next port to try. It starts at a random value, so that two processes rarely try the same ports, and only
/// increases, so that two callers in this process never get the same port before the first of them listens on it.
static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
    // The hasher's keys are random; that is random enough here and needs no dependency.
    AtomicU64::new(RandomState::new().hash_one(()) % u64::from(COUNT))
});

/// A free port of 127.0.0.1, between 15000 and 31999, that no earlier call in this process returned recently.
///
/// Another process may bind it before the caller does, so the caller should retry with another port if binding fails.
///
/// # Errors
///
/// If all ports of the range are in use.
pub fn free_port() -> Result<u16> {
    for _ in 0..COUNT {
        let port = FIRST + u16::try_from(NEXT.fetch_add(1, Ordering::Relaxed) % u64::from(COUNT))?;
        if is_free(port) {
            return Ok(port);
        }
    }
    bail!("no free port between {FIRST} and {} on 127.0.0.1", FIRST + COUNT)
}

/// Whether this port of 127.0.0.1 can be bound now.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_port_never_returns_a_recently_returned_port() -> Result<()> {
        let ports = (0..500).map(|_| free_port()).collect::<Result<std::collections::HashSet<_>>>()?;
        assert_eq!(ports.len(), 500);
        Ok(())
    }

    #[test]
    fn is_free_is_false_while_the_port_is_bound() -> Result<()> {
        let port = free_port()?;
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        assert!(!is_free(port));
        drop(taken);
        assert!(is_free(port));
        Ok(())
    }
}
