//! Directories of runs: `.dev/bench/PID`, one per process, removed after a successful run.

use std::{
    fs,
    path::{Path, PathBuf},
};

use staymesh_devenv::dev_dir;

/// The directory of this process. Directories that killed processes left are removed first.
pub fn of_this_process() -> PathBuf {
    let runs = dev_dir().join("bench");
    remove_dead(&runs);
    runs.join(std::process::id().to_string())
}

/// Removes the directories of processes that no longer exist.
fn remove_dead(runs: &Path) {
    for run in fs::read_dir(runs).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(run.file_name()).exists() {
            // A directory that cannot be removed now is tried again by the next run and does no harm until then.
            let _ = fs::remove_dir_all(run.path());
        }
    }
}
