//! Stopping, killing and explaining child processes.

use std::time::Duration;

use anyhow::Result;
use staymesh_devenv::wait::wait_until;
use staymesh_devenv::{Launch, Signal};

#[test]
fn stop_kills_process_that_ignores_the_signal() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("deaf.log");
    let mut deaf = Launch::new("deaf", "sh").args(["-c", "trap '' TERM; echo ready; sleep 600 & wait; sleep 600"]);
    deaf = deaf.log(&log);
    let mut deaf = deaf.spawn()?;
    wait_until("it is deaf", Duration::from_secs(10), || Ok(deaf.log_tail().contains("ready").then_some(())))?;
    let status = deaf.stop_with(Signal::TERM, Duration::from_millis(200))?;
    assert_eq!(status.code(), None, "it ended by a signal");
    assert!(!deaf.is_running());
    Ok(())
}

#[test]
fn stop_returns_exit_status_of_process_that_handles_the_signal() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("polite.log");
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done";
    let mut polite = Launch::new("polite", "sh").args(["-c", script]).log(&log).spawn()?;
    wait_until("it listens", Duration::from_secs(10), || Ok(polite.log_tail().contains("ready").then_some(())))?;
    assert_eq!(polite.stop()?.code(), Some(7));
    Ok(())
}

#[test]
fn log_tail_shows_only_lines_of_this_run() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("run.log");
    for run in 1..=2 {
        let script = format!("echo words of run {run}; exit 4");
        let mut process = Launch::new("talker", "sh").args(["-c", &script]).log(&log).spawn()?;
        let error = wait_until("it ends", Duration::from_secs(10), || process.check_running().map(|()| None::<()>));
        let words = error.map_err(|e| e.to_string()).err().unwrap_or_default();
        assert!(words.contains("talker ended (exit status: 4)"), "{words}");
        assert!(words.contains(&format!("| words of run {run}")), "{words}");
        assert_eq!(words.matches("words of run").count(), 1, "{words}");
    }
    Ok(())
}

#[test]
fn child_without_inherited_settings_sees_only_given_variables() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("env.log");
    let script = "echo \"${STAYMESH_GIVEN-absent}\"";
    let mut child = Launch::new("child", "sh")
        .args(["-c", script])
        .without_inherited_settings()
        .env("STAYMESH_GIVEN", "given")
        .log(&log)
        .spawn()?;
    wait_until("it ends", Duration::from_secs(10), || child.exit_status())?;
    assert!(child.log_tail().contains("given"));
    Ok(())
}

#[test]
fn spawn_names_the_missing_program() {
    let error = Launch::new("Envoy", "/nowhere/envoy").spawn().map(drop);
    assert_eq!(error.map_err(|e| e.to_string()), Err("Envoy: there is no program /nowhere/envoy".to_owned()));
}
