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
    /// What clients send passes, what the target answers waits for another state, as when an answer is late.
    Late,
    /// What clients send passes; the connection is cut as soon as the target answers.
    Cut,
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

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Request,
    Answer,
}

impl State {
    /// Waits while the link is silent. Yields whether connections may be open now.
    fn is_open(&self) -> bool {
        self.after(|link| link == Link::Silent) != Link::Broken
    }

    /// Waits while bytes of this way wait. Yields whether they may pass now.
    fn may_pass(&self, way: Way) -> bool {
        match self.after(|link| link == Link::Silent || (link == Link::Late && way == Way::Answer)) {
            Link::Healthy => true,
            Link::Late | Link::Cut => way == Way::Request,
            Link::Broken | Link::Silent => false,
        }
    }

    /// The state of the link once it is none of those to wait for.
    fn after(&self, wait: impl Fn(Link) -> bool) -> Link {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        *self.changed.wait_while(link, |link| wait(*link)).unwrap_or_else(PoisonError::into_inner)
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
    if !state.is_open() {
        return;
    }
    let Ok(server) = TcpStream::connect_timeout(&target, CONNECT_LIMIT) else { return };
    let (Ok(client_side), Ok(server_side)) = (client.try_clone(), server.try_clone()) else { return };
    let other = Arc::clone(state);
    let back = thread::spawn(move || pump(server_side, client_side, &other, Way::Answer));
    let _ = pump(client, server, state, Way::Request);
    let _ = back.join();
}

/// Passes bytes one way until the end, then closes both.
fn pump(mut from: TcpStream, mut to: TcpStream, state: &State, way: Way) -> io::Result<()> {
    from.set_read_timeout(Some(LOOK_EVERY))?;
    let mut buffer = [0_u8; 16 * 1024];
    while state.is_open() {
        match from.read(&mut buffer) {
            Ok(n) if n > 0 && state.may_pass(way) && to.write_all(&buffer[..n]).is_ok() => {}
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

    /// A target that answers each connection's first byte with the next one, and a link to it.
    fn behind_a_link() -> (Proxy, TcpStream) {
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
        client.set_read_timeout(Some(2 * LOOK_EVERY)).expect("a limit");
        (proxy, client)
    }

    fn ask(client: &mut TcpStream, byte: u8) -> io::Result<u8> {
        client.write_all(&[byte])?;
        let mut answer = [0];
        client.read_exact(&mut answer).map(|()| answer[0])
    }

    #[test]
    fn a_late_answer_comes_when_the_link_is_mended() {
        let (proxy, mut client) = behind_a_link();
        assert_eq!(ask(&mut client, 1).expect("an answer"), 2);
        proxy.set(Link::Late);
        assert_eq!(ask(&mut client, 5).expect_err("no answer yet").kind(), io::ErrorKind::WouldBlock);
        proxy.set(Link::Healthy);
        client.set_read_timeout(Some(CONNECT_LIMIT)).expect("a limit");
        assert_eq!(ask(&mut client, 7).expect("the late answer"), 6);
    }

    #[test]
    fn an_answer_may_cost_the_connection() {
        let (proxy, mut client) = behind_a_link();
        client.set_read_timeout(Some(CONNECT_LIMIT)).expect("a limit");
        proxy.set(Link::Cut);
        assert_eq!(ask(&mut client, 1).expect_err("cut").kind(), io::ErrorKind::UnexpectedEof);
        proxy.set(Link::Healthy);
        let mut client = TcpStream::connect(proxy.address()).expect("connects");
        assert_eq!(ask(&mut client, 1).expect("an answer"), 2);
    }
}
