//! Children end with their parent, however it dies.

mod common;

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use common::{installed, scratch};
use staymesh_devenv::wait::wait_until;
use staymesh_devenv::{Component, Durability, Launch, Postgres, PostgresOptions, Redis};

/// Set when this test binary starts itself: the copy is the parent that will be killed.
const PARENT_IN: &str = "STAYMESH_PARTS_PARENT_IN";

#[test]
fn children_die_when_the_parent_is_killed() -> Result<()> {
    if let Some(dir) = env::var_os(PARENT_IN) {
        return run_parent(dir.as_ref());
    }
    installed(&[Component::Postgres, Component::Redis])?;
    let dir = scratch()?;
    let mut parent = Command::new(env::current_exe()?)
        .args(["--exact", "children_die_when_the_parent_is_killed"])
        .env(PARENT_IN, dir.path())
        .stdout(Stdio::null())
        .spawn()?;
    let report = dir.path().join("pids");
    let pids = wait_until("the children run", Duration::from_mins(2), || {
        anyhow::ensure!(parent.try_wait()?.is_none(), "the parent ended by itself");
        Ok(fs::read_to_string(&report).ok())
    });
    parent.kill()?;
    parent.wait()?;
    let pids = pids?;
    assert_eq!(pids.lines().count(), 3);
    for pid in pids.lines() {
        wait_until(&format!("the end of process {pid}"), Duration::from_secs(20), || {
            Ok((!is_alive(pid)).then_some(()))
        })?;
    }
    Ok(())
}

#[test]
fn child_does_not_start_if_the_parent_died_before_the_death_signal_was_set() -> Result<()> {
    if let Some(dir) = env::var_os(PARENT_IN) {
        return run_short_lived_parent(dir.as_ref());
    }
    let dir = scratch()?;
    // A wrapper before the real `setpriv` on PATH: writes its process id and waits until its parent has ended.
    let path = format!("{}/tests/slow:{}", env!("CARGO_MANIFEST_DIR"), env::var("PATH")?);
    let mut parent = Command::new(env::current_exe()?)
        .args(["--exact", "child_does_not_start_if_the_parent_died_before_the_death_signal_was_set"])
        .env(PARENT_IN, dir.path())
        .env("PATH", path)
        .stdout(Stdio::null())
        .spawn()?;
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).ok();
    let pid = wait_until("the child runs", Duration::from_mins(1), || {
        anyhow::ensure!(parent.try_wait()?.is_none(), "the parent ended by itself");
        Ok(read("pid"))
    });
    parent.kill()?;
    parent.wait()?;
    let pid = pid?;
    let slowly = Duration::from_secs(20);
    wait_until("the child goes on", slowly, || Ok(read("going-on")))?;
    wait_until("the end of the child", slowly, || Ok((!is_alive(pid.trim())).then_some(())))?;
    assert!(read("started").is_none(), "the program must not have started");
    Ok(())
}

/// Starts a child, and is killed before the child has set its parent-death signal.
fn run_short_lived_parent(dir: &Path) -> Result<()> {
    let program = "touch \"$0/started\"; exec sleep 600";
    let _child = Launch::new("a plain child", "sh").args(["-c", program]).args([dir]).env("SCRATCH", dir).spawn()?;
    thread::sleep(Duration::from_mins(5));
    Ok(())
}

/// Starts one child of each kind from a thread that ends at once, writes their process ids and waits to be killed.
fn run_parent(dir: &Path) -> Result<()> {
    let at = dir.to_path_buf();
    let children = thread::spawn(move || -> Result<_> {
        let options = PostgresOptions { durability: Durability::Off, ..PostgresOptions::default() };
        let postgres = Postgres::start(&at.join("postgres"), options)?;
        let redis = Redis::start(&at.join("redis"), None)?;
        let plain = Launch::new("a plain child", "sleep").args(["600"]).spawn()?;
        Ok((postgres, redis, plain))
    });
    let (mut postgres, mut redis, plain) = children.join().ok().context("the starting thread panicked")??;
    let postgres = postgres.process().context("no PostgreSQL")?;
    let redis = redis.process().context("no Redis")?;
    // The thread that started the children has ended; they must still run.
    for process in [&mut *postgres, &mut *redis] {
        process.check_running()?;
    }
    let partial = dir.join("pids.partial");
    fs::write(&partial, format!("{}\n{}\n{}\n", postgres.pid(), redis.pid(), plain.pid()))?;
    fs::rename(partial, dir.join("pids"))?;
    thread::sleep(Duration::from_mins(5));
    Ok(())
}

/// A zombie counts as dead: without a process that reaps orphans it stays in the process table.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z")
}
