//! A private Redis, for real, also behind a link that breaks.

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};
use common::{installed, scratch};
use staymesh_devenv::{Link, Part, Proxy, Redis, Signal};

fn ask(address: SocketAddr, command: &str) -> Result<String> {
    let mut connection = TcpStream::connect(address)?;
    talk(&mut connection, command)
}

fn talk(connection: &mut TcpStream, command: &str) -> Result<String> {
    connection.set_read_timeout(Some(Duration::from_millis(500)))?;
    write!(connection, "{command}\r\n")?;
    hear(connection)
}

/// What arrives next.
fn hear(connection: &mut TcpStream) -> Result<String> {
    let mut answer = [0_u8; 256];
    let n = connection.read(&mut answer)?;
    ensure!(n > 0, "the connection was closed");
    Ok(String::from_utf8_lossy(&answer[..n]).trim().to_owned())
}

#[test]
fn comes_back_empty_on_the_same_port() -> Result<()> {
    installed(&[Part::Redis])?;
    let dir = scratch()?;
    let mut server = Redis::start(dir.path(), None)?;
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    assert_eq!(server.url(), format!("redis://{address}"));
    assert_eq!(ask(address, "SET night 1")?, "+OK");
    server.stop()?;
    assert!(ask(address, "PING").is_err());
    server.resume()?;
    assert_eq!(ask(address, "PING")?, "+PONG");
    assert_eq!(ask(address, "GET night")?, "$-1");
    server.kill_now()?;
    assert!(ask(address, "PING").is_err());
    Ok(())
}

#[test]
fn a_taken_port_is_an_error_when_it_was_asked_for() -> Result<()> {
    installed(&[Part::Redis])?;
    let dir = scratch()?;
    let first = Redis::start(&dir.path().join("first"), None)?;
    let second = Redis::start(&dir.path().join("second"), Some(first.port())).map(drop);
    assert!(second.is_err_and(|e| e.to_string().contains("Address already in use")));
    Ok(())
}

#[test]
fn a_frozen_server_goes_on_where_it_was() -> Result<()> {
    installed(&[Part::Redis])?;
    let dir = scratch()?;
    let mut server = Redis::start(dir.path(), None)?;
    let address = SocketAddr::from(([127, 0, 0, 1], server.port()));
    assert_eq!(ask(address, "SET night 1")?, "+OK");
    if let Some(process) = server.process() {
        process.signal(Signal::STOP)?;
        assert!(ask(address, "PING").is_err());
        process.signal(Signal::CONT)?;
    }
    assert_eq!(ask(address, "GET night")?, "$1\r\n1");
    Ok(())
}

#[test]
fn a_link_breaks_falls_silent_and_mends() -> Result<()> {
    installed(&[Part::Redis])?;
    let dir = scratch()?;
    let server = Redis::start(dir.path(), None)?;
    let link = Proxy::start(SocketAddr::from(([127, 0, 0, 1], server.port())))?;
    let mut open = TcpStream::connect(link.address())?;
    assert_eq!(talk(&mut open, "PING")?, "+PONG");

    link.set(Link::Silent);
    assert!(talk(&mut open, "PING").is_err());
    link.set(Link::Healthy);
    assert_eq!(hear(&mut open)?, "+PONG", "what was sent into the silence is answered late");
    assert_eq!(talk(&mut open, "PING")?, "+PONG");

    link.set(Link::Broken);
    assert!(talk(&mut open, "PING").and_then(|_| talk(&mut open, "PING")).is_err());
    assert!(ask(link.address(), "PING").is_err());
    link.set(Link::Healthy);
    assert_eq!(ask(link.address(), "PING")?, "+PONG");
    Ok(())
}
