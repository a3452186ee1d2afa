//! Directories of runs: one per process below a directory of their kind, named after the process id.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::dev_dir;

/// The directory `.dev/KIND/PID` of this process, not yet created. Directories of the same kind that killed processes left
/// are removed first; one that cannot be removed is tried again by the next run.
pub fn of_this_process(kind: &str) -> PathBuf {
    let runs = dev_dir().join(kind);
    remove_dead(&runs);
    runs.join(std::process::id().to_string())
}

fn remove_dead(runs: &Path) {
    for run in fs::read_dir(runs).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(run.file_name()).exists() {
            // Harmless until the next run.
            let _ = fs::remove_dir_all(run.path());
        }
    }
}
