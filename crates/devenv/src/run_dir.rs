//! Directories of runs: one per process below a directory of their kind, named after the process id.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crate::dev_dir;

/// The directory `.dev/KIND/PID` of this process, not yet created. Directories of the same kind that killed processes left
/// are removed first, one of an earlier process with the same id too; one that cannot be removed is tried again by the next
/// run.
pub fn of_this_process(kind: &str) -> PathBuf {
    static OWN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    let runs = dev_dir().join(kind);
    remove_dead(&runs);
    let own = runs.join(std::process::id().to_string());
    // Locked until the directory is removed: another caller would create files in it.
    let mut own_dirs = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    if own_dirs.insert(own.clone()) {
        let _ = fs::remove_dir_all(&own);
    }
    own
}

fn remove_dead(runs: &Path) {
    for run in fs::read_dir(runs).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(run.file_name()).exists() {
            // Harmless until the next run.
            let _ = fs::remove_dir_all(run.path());
        }
    }
}
