//! A TCP link that tests can break and mend.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// How long a connection to the target may take, and how often a waiting reader looks at the state of the link.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the link does to the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Bytes pass both ways.
    Healthy,
    /// Open connections are cut and new ones are closed at once, as when the target is down.
    Broken,
    /// Connections stay open and new ones are accepted, but no byte passes, as behind a dead network.
    Silent,
}

/// A proxy on a free loopback port in front of a target. Put it between a client and a part to test an outage without
/// touching the part. It ends with the process; connections made after a drop are refused or cut.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    link: Mutex<Link>,
    changed: Condvar,
}

impl State {
    /// Waits while the link is silent. Yields whether bytes may pass now.
    fn may_pass(&self) -> bool {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let link = self.changed.wait_while(link, |link| *link == Link::Silent).unwrap_or_else(PoisonError::into_inner);
        *link == Link::Healthy
    }
}

impl Proxy {
    /// Starts a healthy link to `target`.
    pub fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("opening the proxy's port")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { link: Mutex::new(Link::Healthy), changed: Condvar::new() });
        let shared = Arc::clone(&state);
        thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            for client in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(client, target, &state));
            }
        })?;
        Ok(Self { address, state })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks, silences or mends the link, for open connections as well.
    pub fn set(&self, link: Link) {
        *self.state.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
        self.state.changed.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Link::Broken);
    }
}

/// Serves one connection. Errors end it, which is what the peers of a real link would see.
fn serve(client: TcpStream, target: SocketAddr, state: &Arc<State>) {
    if !state.may_pass() {
        return;
    }
    let Ok(server) = TcpStream::connect_timeout(&target, CONNECT_LIMIT) else { return };
    let (Ok(client_side), Ok(server_side)) = (client.try_clone(), server.try_clone()) else { return };
    let other = Arc::clone(state);
    let back = thread::spawn(move || pump(server_side, client_side, &other));
    let _ = pump(client, server, state);
    let _ = back.join();
}

/// Passes bytes one way until the end, then closes both.
fn pump(mut from: TcpStream, mut to: TcpStream, state: &State) -> io::Result<()> {
    from.set_read_timeout(Some(LOOK_EVERY))?;
    let mut buffer = [0_u8; 16 * 1024];
    while state.may_pass() {
        match from.read(&mut buffer) {
            Ok(n) if n > 0 && state.may_pass() && to.write_all(&buffer[..n]).is_ok() => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Ok(_) | Err(_) => break,
        }
    }
    // Either may be closed already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
    Ok(())
}
