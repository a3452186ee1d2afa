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
use staymesh_parts::wait::wait_until;
use staymesh_parts::{Durability, Launch, Part, Postgres, PostgresOptions, Redis};

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
