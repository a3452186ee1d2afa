//! Logs that outlive the directory of a test, so that all logs of a run can be checked at its end.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::{Context, Result};

/// Environment variable with the folder that logs are kept in. Without it none are.
pub const FOLDER_VARIABLE: &str = "STAYMESH_TEST_LOGS";

/// Data of PostgreSQL, which is large and holds no logs.
const DATA: &str = "data";
/// The secrets of a mesh: what its logs must not hold.
const SECRETS: &str = "secrets";

static KEPT: AtomicUsize = AtomicUsize::new(0);

/// Copies the logs below `dir`, and the secrets of the mesh whose directory it is, into a new folder of the directory that
/// [`FOLDER_VARIABLE`] names. `name` begins the folder's name. Call it before `dir` is removed.
///
/// # Errors
/// If a file cannot be copied.
pub fn keep_logs(dir: &Path, name: &str) -> Result<()> {
    let Some(folder) = std::env::var_os(FOLDER_VARIABLE) else { return Ok(()) };
    let number = KEPT.fetch_add(1, Ordering::Relaxed);
    copy_logs(dir, &PathBuf::from(folder).join(format!("{name}-{}-{number}", std::process::id())))
}

/// The times of the files stay, so that logs of an earlier run can be told apart.
fn copy_logs(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            if entry.file_name() != DATA {
                copy_logs(&source, &target)?;
            }
        } else if from.ends_with(SECRETS) || source.extension().is_some_and(|extension| extension == "log") {
            fs::create_dir_all(to)?;
            fs::copy(&source, &target).with_context(|| format!("copying {}", source.display()))?;
            File::options().write(true).open(&target)?.set_modified(entry.metadata()?.modified()?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_logs_takes_logs_and_secrets_with_their_times() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let (mesh, kept) = (dir.path().join("mesh"), dir.path().join("kept"));
        for file in ["logs/hotel.log", "postgres/postgres.log", "postgres/data/1.log", "secrets/key", "mails/1.eml"] {
            let path = mesh.join(file);
            fs::create_dir_all(path.parent().context("a folder")?)?;
            fs::write(path, file)?;
        }
        copy_logs(&mesh, &kept)?;
        for file in ["logs/hotel.log", "postgres/postgres.log", "secrets/key"] {
            assert_eq!(fs::read_to_string(kept.join(file))?, file);
            assert_eq!(kept.join(file).metadata()?.modified()?, mesh.join(file).metadata()?.modified()?, "{file}");
        }
        assert!(!kept.join("postgres/data").exists() && !kept.join("mails").exists());
        Ok(())
    }
}
