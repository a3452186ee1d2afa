//! A TCP proxy with which tests inject network faults.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

/// Timeout of a connection to the target, and the interval at which a waiting reader checks the state of the link.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const POLL_EVERY: Duration = Duration::from_millis(50);
/// Time for which a slow link holds a response.
const SLOWNESS: Duration = Duration::from_secs(1);

/// The state of the link between client and target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// Bytes pass in both directions.
    Healthy,
    /// Open connections are cut and new ones are closed at once, as when the target is down.
    Broken,
    /// Connections stay open and new ones are accepted, but no byte passes, as behind a dead network.
    Silent,
    /// Requests pass; responses are held until the state changes, as when a response is late.
    Late,
    /// Requests pass; every response is held for a second, as behind a slow network.
    Slow,
    /// Requests pass; the connection is closed as soon as the target responds.
    Cut,
}

/// A proxy on a free loopback port in front of a target, to test an outage without stopping the target. Its thread ends
/// with the process; after a drop, connections are refused or closed.
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

/// Which direction bytes travel in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
}

impl State {
    /// Waits while the link is silent. Returns whether connections may be open now.
    fn is_open(&self) -> bool {
        self.after(|link| link == Link::Silent) != Link::Broken
    }

    /// Waits while bytes of this direction are held. Returns whether they may pass now.
    fn may_pass(&self, direction: Direction) -> bool {
        match self.after(|link| link == Link::Silent || (link == Link::Late && direction == Direction::Response)) {
            Link::Healthy => true,
            Link::Slow => {
                if direction == Direction::Response {
                    thread::sleep(SLOWNESS);
                }
                true
            }
            Link::Late | Link::Cut => direction == Direction::Request,
            Link::Broken | Link::Silent => false,
        }
    }

    /// Waits while the link is in one of the states to wait for, and returns the state after.
    fn after(&self, wait: impl Fn(Link) -> bool) -> Link {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        *self.changed.wait_while(link, |link| wait(*link)).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Proxy {
    /// Starts a healthy link to `target`.
    ///
    /// # Errors
    ///
    /// If no loopback port can be bound or no thread started.
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

    /// The address that clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the state of the link, for open connections as well.
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

/// Serves one connection. An error closes it, as on a real network.
fn serve(client: TcpStream, target: SocketAddr, state: &Arc<State>) {
    if !state.is_open() {
        return;
    }
    let Ok(server) = TcpStream::connect_timeout(&target, CONNECT_LIMIT) else { return };
    let (Ok(client_side), Ok(server_side)) = (client.try_clone(), server.try_clone()) else { return };
    let other = Arc::clone(state);
    let back = thread::spawn(move || pump(server_side, client_side, &other, Direction::Response));
    let _ = pump(client, server, state, Direction::Request);
    let _ = back.join();
}

/// Copies bytes in one direction until the end, then closes both connections.
fn pump(mut from: TcpStream, mut to: TcpStream, state: &State, direction: Direction) -> io::Result<()> {
    from.set_read_timeout(Some(POLL_EVERY))?;
    let mut buffer = [0_u8; 16 * 1024];
    while state.is_open() {
        match from.read(&mut buffer) {
            Ok(n) if n > 0 && state.may_pass(direction) && to.write_all(&buffer[..n]).is_ok() => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Ok(_) | Err(_) => break,
        }
    }
    // Either may be closed already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that answers each byte with its successor, and a client connected through a link.
    fn connect_through_link() -> (Proxy, TcpStream) {
        let target = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = target.local_addr().expect("an address");
        thread::spawn(move || {
            for mut client in target.incoming().flatten() {
                let mut byte = [0];
                while client.read_exact(&mut byte).is_ok() && client.write_all(&[byte[0] + 1]).is_ok() {}
            }
        });
        let proxy = Proxy::start(address).expect("a proxy");
        let client = TcpStream::connect(proxy.address()).expect("connects");
        client.set_read_timeout(Some(2 * POLL_EVERY)).expect("a limit");
        (proxy, client)
    }

    fn exchange(client: &mut TcpStream, byte: u8) -> io::Result<u8> {
        client.write_all(&[byte])?;
        let mut answer = [0];
        client.read_exact(&mut answer).map(|()| answer[0])
    }

    #[test]
    fn late_link_delivers_held_response_once_healthy() {
        let (proxy, mut client) = connect_through_link();
        assert_eq!(exchange(&mut client, 1).expect("an answer"), 2);
        proxy.set(Link::Late);
        assert_eq!(exchange(&mut client, 5).expect_err("no answer yet").kind(), io::ErrorKind::WouldBlock);
        proxy.set(Link::Healthy);
        client.set_read_timeout(Some(CONNECT_LIMIT)).expect("a limit");
        assert_eq!(exchange(&mut client, 7).expect("the late answer"), 6);
    }

    #[test]
    fn cut_link_closes_connection_on_response() {
        let (proxy, mut client) = connect_through_link();
        client.set_read_timeout(Some(CONNECT_LIMIT)).expect("a limit");
        proxy.set(Link::Cut);
        assert_eq!(exchange(&mut client, 1).expect_err("cut").kind(), io::ErrorKind::UnexpectedEof);
        proxy.set(Link::Healthy);
        let mut client = TcpStream::connect(proxy.address()).expect("connects");
        assert_eq!(exchange(&mut client, 1).expect("an answer"), 2);
    }
}
