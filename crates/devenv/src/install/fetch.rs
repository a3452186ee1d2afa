//! Downloads: fetched into a scratch directory, verified by checksum, then put in place by one rename.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use super::Report;
use crate::wait::wait_until;

/// Timeout of one command; long enough for a slow network.
const COMMAND_LIMIT: Duration = Duration::from_mins(15);
const REPORT_EVERY: Duration = Duration::from_secs(2);
const MEGABYTE: u64 = 1024 * 1024;

/// An empty directory that is removed with everything in it when dropped.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// Makes the directory beside its final place, so that the rename stays on one file system. A directory left by a
    /// killed process is emptied; the caller holds the installation lock.
    pub(super) fn new(dir: &Path, name: &str, needs_megabytes: u64) -> Result<Self> {
        let free = free_megabytes(dir)?;
        ensure!(
            free >= needs_megabytes,
            "{} has {free} MB free and {name} needs {needs_megabytes} MB: free some space and try again",
            dir.display()
        );
        let this = Self(dir.join(format!("{name}.partial")));
        this.clear();
        fs::create_dir_all(&this.0).with_context(|| format!("making {}", this.0.display()))?;
        Ok(this)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn clear(&self) {
        // An absent directory is fine; one that cannot be removed is reported when it is created again.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Free space for an ordinary user on the file system of `dir`, in MiB.
///
/// # Errors
///
/// If `statvfs` fails, for example because the directory does not exist.
pub fn free_megabytes(dir: &Path) -> Result<u64> {
    let disk = rustix::fs::statvfs(dir).with_context(|| format!("asking for the free space of {}", dir.display()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize) / MEGABYTE)
}

/// Runs a command that writes below `scratch`, and reports the size of `scratch` every 2 s. The output of the command is
/// shown only if it fails.
pub(super) fn run(mut command: Command, what: &str, scratch: &Path, report: Report) -> Result<()> {
    let log = scratch.join("output.log");
    let output = File::create(&log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    report(&format!("{what} …"));
    let program = command.get_program().to_os_string();
    let mut child = command.spawn().with_context(|| format!("running {}", program.display()))?;
    let started = Instant::now();
    let mut reported = started;
    let ended = wait_until(what, COMMAND_LIMIT, || {
        if reported.elapsed() >= REPORT_EVERY {
            reported = Instant::now();
            report(&format!("{what} … {}", progress(scratch, started)));
        }
        Ok(child.try_wait()?)
    });
    match ended {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => bail!("{what} failed:\n{}", last_lines(&log)),
        Err(error) => {
            child.kill()?;
            child.wait()?;
            Err(error).with_context(|| last_lines(&log))
        }
    }
}

fn last_lines(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(12)..].iter().map(|l| format!("  | {l}")).collect::<Vec<_>>().join("\n")
}

/// Progress of a download: the size of the scratch directory, or the elapsed time while it is empty.
fn progress(scratch: &Path, started: Instant) -> String {
    match size_of(scratch) / MEGABYTE {
        0 => format!("{} s", started.elapsed().as_secs()),
        megabytes => format!("{megabytes} MB"),
    }
}

fn size_of(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// The file in `dir` whose name has this ending.
pub(super) fn only_file(dir: &Path, ending: &str) -> Result<PathBuf> {
    let files = fs::read_dir(dir)?.flatten().map(|entry| entry.path());
    let found = files.into_iter().find(|path| path.to_string_lossy().ends_with(ending));
    found.with_context(|| format!("nothing ending in {ending} was fetched into {}", dir.display()))
}

/// Compares the SHA-256 of a file with the expected one.
pub(super) fn verify(file: &Path, sha256: &str) -> Result<()> {
    let mut hash = Sha256::new();
    let mut reader = File::open(file).with_context(|| format!("reading {}", file.display()))?;
    let mut buffer = vec![0_u8; 256 * 1024];
    loop {
        match io::Read::read(&mut reader, &mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    let found = hex::encode(hash.finalize());
    ensure!(
        found == sha256,
        "{} is damaged or not the published file: its SHA-256 is {found}, expected {sha256}. Try again; if it stays \
         so, the package index of this machine serves another file",
        file.file_name().unwrap_or_default().display()
    );
    Ok(())
}

/// Selects the value for the processor architecture of this machine.
pub(super) fn for_this_processor<T>(x86_64: T, aarch64: T) -> Result<T> {
    match std::env::consts::ARCH {
        "x86_64" => Ok(x86_64),
        "aarch64" => Ok(aarch64),
        other => bail!("there are no published binaries for the processor {other}; x86_64 and aarch64 are supported"),
    }
}

/// Moves a verified directory to its final name.
pub(super) fn put_in_place(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to).with_context(|| format!("removing {}", to.display()))?;
    }
    fs::rename(from, to).with_context(|| format!("putting {} in place", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verify_refuses_file_with_another_checksum() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("x.whl");
        fs::write(&file, "abc")?;
        verify(&file, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")?;
        let error = verify(&file, &"0".repeat(64)).map_err(|e| e.to_string());
        assert!(error.is_err_and(|e| e.starts_with("x.whl is damaged")));
        Ok(())
    }

    #[test]
    fn scratch_fails_before_fetching_if_disk_is_full() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let error = Scratch::new(dir.path(), "envoy", u64::MAX).map_err(|e| e.to_string());
        assert!(error.is_err_and(|e| e.contains("free some space")));
        assert_eq!(fs::read_dir(dir.path())?.count(), 0);
        Ok(())
    }

    #[test]
    fn run_shows_output_of_failing_command() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let mut command = Command::new("sh");
        command.args(["-c", "echo no route to host >&2; exit 3"]);
        let error = run(command, "fetching", dir.path(), &|_| {}).map_err(|e| e.to_string());
        assert_eq!(error, Err("fetching failed:\n  | no route to host".to_owned()));
        Ok(())
    }
}
