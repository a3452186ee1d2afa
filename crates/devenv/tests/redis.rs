//! Runs a real Redis, also behind a faulty link.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};
use common::{installed, scratch};
use staymesh_devenv::{Component, Link, Proxy, Redis, Signal};

fn request(address: SocketAddr, command: &str) -> Result<String> {
    let mut connection = TcpStream::connect(address)?;
    send(&mut connection, command)
}

fn send(connection: &mut TcpStream, command: &str) -> Result<String> {
    connection.set_read_timeout(Some(Duration::from_millis(500)))?;
    write!(connection, "{command}\r\n")?;
    receive(connection)
}

/// The next bytes that arrive, as text.
fn receive(connection: &mut TcpStream) -> Result<String> {
    let mut answer = [0_u8; 256];
    let n = connection.read(&mut answer)?;
    ensure!(n > 0, "the connection was closed");
    Ok(String::from_utf8_lossy(&answer[..n]).trim().to_owned())
}

#[test]
fn resume_starts_empty_on_the_same_port() -> Result<()> {
    installed(&[Component::Redis])?;
    let dir = scratch()?;
    let mut server = Redis::start(dir.path(), None)?;
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    assert_eq!(server.url(), format!("redis://{address}"));
    assert_eq!(request(address, "SET night 1")?, "+OK");
    server.stop()?;
    assert!(request(address, "PING").is_err());
    server.resume()?;
    assert_eq!(request(address, "PING")?, "+PONG");
    assert_eq!(request(address, "GET night")?, "$-1");
    server.kill_now()?;
    assert!(request(address, "PING").is_err());
    Ok(())
}

#[test]
fn start_fails_if_the_given_port_is_in_use() -> Result<()> {
    installed(&[Component::Redis])?;
    let dir = scratch()?;
    let first = Redis::start(&dir.path().join("first"), None)?;
    let second = Redis::start(&dir.path().join("second"), Some(first.port())).map(drop);
    assert!(second.is_err_and(|e| e.to_string().contains("Address already in use")));
    Ok(())
}

#[test]
fn stopped_process_keeps_data_after_cont_signal() -> Result<()> {
    installed(&[Component::Redis])?;
    let dir = scratch()?;
    let mut server = Redis::start(dir.path(), None)?;
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    assert_eq!(request(address, "SET night 1")?, "+OK");
    if let Some(process) = server.process() {
        process.signal(Signal::STOP)?;
        assert!(request(address, "PING").is_err());
        process.signal(Signal::CONT)?;
    }
    assert_eq!(request(address, "GET night")?, "$1\r\n1");
    Ok(())
}

#[test]
fn link_stops_holds_and_resumes_traffic() -> Result<()> {
    installed(&[Component::Redis])?;
    let dir = scratch()?;
    let server = Redis::start(dir.path(), None)?;
    let link = Proxy::start(SocketAddr::from(([127, 0, 0, 1], server.port())))?;
    let mut open = TcpStream::connect(link.address())?;
    assert_eq!(send(&mut open, "PING")?, "+PONG");

    link.set(Link::Silent);
    assert!(send(&mut open, "PING").is_err());
    link.set(Link::Healthy);
    assert_eq!(receive(&mut open)?, "+PONG", "what was sent into the silence is answered late");
    assert_eq!(send(&mut open, "PING")?, "+PONG");

    link.set(Link::Broken);
    assert!(send(&mut open, "PING").and_then(|_| send(&mut open, "PING")).is_err());
    assert!(request(link.address(), "PING").is_err());
    link.set(Link::Healthy);
    assert_eq!(request(link.address(), "PING")?, "+PONG");
    Ok(())
}
