//! However a parent dies, its children die with it.

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
use staymesh_devenv::{Durability, Launch, Part, Postgres, PostgresOptions, Redis};

/// Tells this test binary, started by itself, to be the parent that will be killed.
const PARENT_IN: &str = "STAYMESH_PARTS_PARENT_IN";

#[test]
fn children_die_with_a_parent_that_is_killed() -> Result<()> {
    if let Some(dir) = env::var_os(PARENT_IN) {
        return be_the_parent(dir.as_ref());
    }
    installed(&[Part::Postgres, Part::Redis])?;
    let dir = scratch()?;
    let mut parent = Command::new(env::current_exe()?)
        .args(["--exact", "children_die_with_a_parent_that_is_killed"])
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
fn a_child_that_is_too_slow_to_notice_the_death_does_not_start() -> Result<()> {
    if let Some(dir) = env::var_os(PARENT_IN) {
        return be_the_hasty_parent(dir.as_ref());
    }
    let dir = scratch()?;
    // In front of the real `setpriv`: says which process it is, and takes its time until its parent is gone.
    let path = format!("{}/tests/slow:{}", env!("CARGO_MANIFEST_DIR"), env::var("PATH")?);
    let mut parent = Command::new(env::current_exe()?)
        .args(["--exact", "a_child_that_is_too_slow_to_notice_the_death_does_not_start"])
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

/// Starts a child and is killed before the kernel knows that the child wants to be told.
fn be_the_hasty_parent(dir: &Path) -> Result<()> {
    let program = "touch \"$0/started\"; exec sleep 600";
    let _child = Launch::new("a plain child", "sh").args(["-c", program]).args([dir]).env("SCRATCH", dir).spawn()?;
    thread::sleep(Duration::from_mins(5));
    Ok(())
}

/// Starts one child of each kind from a thread that ends at once, reports their ids and waits to be killed.
fn be_the_parent(dir: &Path) -> Result<()> {
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
    // The thread that asked for the children has ended and they must still be there.
    for process in [&mut *postgres, &mut *redis] {
        process.check_running()?;
    }
    let partial = dir.join("pids.partial");
    fs::write(&partial, format!("{}\n{}\n{}\n", postgres.pid(), redis.pid(), plain.pid()))?;
    fs::rename(partial, dir.join("pids"))?;
    thread::sleep(Duration::from_mins(5));
    Ok(())
}

/// A zombie counts as dead: where nobody reaps orphans it stays in the table for ever.
fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next());
    state.is_some_and(|state| state != "Z")
}
