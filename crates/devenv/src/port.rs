//! Free loopback ports.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, bail};

/// Ports are taken from below the range in which Linux picks the source ports of outgoing connections (32768 and up):
/// a part that is stopped for an outage test must find its own port free when it comes back, and no other process's
/// connection can sit on one of these by chance.
const FIRST: u16 = 15_000;
const COUNT: u16 = 17_000;

/// The next port to look at. It begins anywhere, so that two processes seldom look at the same ones, and only goes on, so
/// that nobody in this process gets a port that another has been given but does not listen on yet.
static NEXT: LazyLock<AtomicU64> = LazyLock::new(|| {
    // The hasher's keys are random, which spares a dependency; any spread will do.
    AtomicU64::new(RandomState::new().hash_one(()) % u64::from(COUNT))
});

/// A port of 127.0.0.1 on which nobody listens now, and that was not given to anybody else in this process of late.
///
/// Another process may take it before the caller does, so whoever starts something on it should be ready to try another.
pub fn free_port() -> Result<u16> {
    for _ in 0..COUNT {
        let port = FIRST + u16::try_from(NEXT.fetch_add(1, Ordering::Relaxed) % u64::from(COUNT))?;
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
    fn nobody_gets_a_port_that_was_just_given_away() -> Result<()> {
        let ports = (0..500).map(|_| free_port()).collect::<Result<std::collections::HashSet<_>>>()?;
        assert_eq!(ports.len(), 500);
        Ok(())
    }

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
