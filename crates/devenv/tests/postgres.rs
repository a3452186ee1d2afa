//! Runs a real PostgreSQL.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Result, ensure};
use common::{installed, scratch};
use staymesh_devenv::install::PostgresBinaries;
use staymesh_devenv::{Component, Durability, Postgres, PostgresOptions};

fn options() -> PostgresOptions {
    PostgresOptions { durability: Durability::Off, ..PostgresOptions::default() }
}

fn sql(server: &Postgres, statement: &str) -> Result<String> {
    sql_at(&server.url("postgres"), statement)
}

fn sql_at(url: &str, statement: &str) -> Result<String> {
    let psql = PostgresBinaries::find()?.program("psql");
    let output = Command::new(psql).args(["-XAtqc", statement]).arg(url).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[test]
fn data_survives_stop_and_crash() -> Result<()> {
    installed(&[Component::Postgres])?;
    let dir = scratch()?;
    let mut server = Postgres::start(dir.path(), options())?;
    let (port, url) = (server.port(), server.url("postgres"));
    sql(&server, "create table kept (n int); insert into kept values (1)")?;

    server.stop()?;
    assert!(sql(&server, "select 1").is_err());
    server.resume()?;
    sql(&server, "insert into kept values (2)")?;

    server.kill_now()?;
    server.resume()?;
    assert_eq!(sql(&server, "select sum(n) from kept")?, "3");
    assert_eq!((server.port(), server.url("postgres")), (port, url));
    assert_eq!(sql(&server, "show wal_level")?, "logical");
    assert_eq!(sql(&server, "show max_connections")?, "300");

    drop(server);
    let again = Postgres::start(dir.path(), options())?;
    assert_eq!(sql(&again, "select count(*) from kept")?, "2");
    Ok(())
}

#[test]
fn server_requires_password_and_listens_on_loopback_only() -> Result<()> {
    installed(&[Component::Postgres])?;
    let dir = scratch()?;
    let server = Postgres::start(dir.path(), options())?;
    let psql = PostgresBinaries::find()?.program("psql");
    let url = format!("postgres://postgres:guess@127.0.0.1:{}/postgres", server.port());
    let output = Command::new(psql).args(["-XAtqc", "select 1", &url]).output()?;
    assert!(String::from_utf8_lossy(&output.stderr).contains("password authentication failed"));
    assert_eq!(sql(&server, "show listen_addresses")?, "127.0.0.1");
    assert_eq!(sql(&server, "show unix_socket_directories")?, "");
    Ok(())
}

#[test]
fn resume_removes_stale_pid_file() -> Result<()> {
    installed(&[Component::Postgres])?;
    let dir = scratch()?;
    let mut server = Postgres::start(dir.path(), options())?;
    server.stop()?;
    // The process id of this test: a live process that is no PostgreSQL, as after a reboot.
    let stale = format!("{}\n{}\n0\n5432\n\n127.0.0.1\n\nready\n", std::process::id(), dir.path().display());
    fs::write(dir.path().join("data/postmaster.pid"), stale)?;
    server.resume()?;
    assert_eq!(sql(&server, "select 1")?, "1");
    Ok(())
}

#[test]
fn start_works_below_directory_of_mode_0700() -> Result<()> {
    installed(&[Component::Postgres])?;
    let dir = scratch()?;
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700))?;
    let server = Postgres::start(&dir.path().join("below"), options())?;
    assert_eq!(sql(&server, "select 1")?, "1");
    Ok(())
}

#[test]
fn failed_start_reports_the_reason() -> Result<()> {
    installed(&[Component::Postgres])?;
    let dir = scratch()?;
    let settings = vec![("shared_buffers".to_owned(), "nonsense".to_owned())];
    let error = Postgres::start(dir.path(), PostgresOptions { settings, ..options() }).map(drop);
    assert!(error.is_err_and(|e| format!("{e:#}").contains("invalid value for parameter \"shared_buffers\"")));

    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let port = Some(taken.local_addr()?.port());
    let error = Postgres::start(dir.path(), PostgresOptions { port, ..options() }).map(drop);
    assert!(error.is_err_and(|e| e.to_string().contains("the port is in use")));
    Ok(())
}

#[test]
fn owner_of_one_database_cannot_connect_to_another() -> Result<()> {
    installed(&[Component::Postgres])?;
    let dir = scratch()?;
    let server = Postgres::start(dir.path(), options())?;
    let (hotel, rate) = (server.ensure_database("hotel")?, server.ensure_database("rate")?);
    assert_eq!(sql_at(&hotel, "create table room (id int); select current_user")?, "hotel");
    assert_eq!(server.ensure_database("hotel")?, hotel, "a second time changes nothing");
    assert_eq!(sql_at(&hotel, "select count(*) from room")?, "0");

    let trespassing = rate.replace("/rate", "/hotel").replace("//hotel", "//rate");
    let refused = sql_at(&trespassing, "select 1");
    assert!(refused.is_err_and(|e| e.to_string().contains("permission denied for database")));
    assert!(server.ensure_database("x; drop table y").is_err());
    Ok(())
}

#[test]
fn log_holds_no_values_of_refused_rows() -> Result<()> {
    installed(&[Component::Postgres])?;
    let dir = scratch()?;
    let server = Postgres::start(dir.path(), options())?;
    sql(
        &server,
        "create table guest (email text constraint guest_email unique, age int constraint guest_age check (age > 0)); \
         create table stay (email text constraint stay_guest references guest (email), night int not null)",
    )?;
    sql(
        &server,
        "prepare add_guest as insert into guest values ($1, $2); execute add_guest('private@guest.example', 1)",
    )?;
    for refused in [
        "prepare add_guest as insert into guest values ($1, $2); execute add_guest('private@guest.example', 2)",
        "insert into guest select email || 'er', 0 from guest",
        "insert into stay select email || 'er', 1 from guest",
        "insert into stay select email, null from guest",
    ] {
        assert!(sql(&server, refused).is_err(), "{refused}");
    }
    let log = fs::read_to_string(server.log())?;
    for constraint in ["guest_email", "guest_age", "stay_guest", "null value in column"] {
        assert!(log.contains(constraint), "{constraint} is not in {log}");
    }
    assert!(!log.contains("private@") && !log.contains("DETAIL:"), "{log}");
    Ok(())
}
