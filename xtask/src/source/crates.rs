//! The crates of the workspace and their files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A member of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    /// The directory's name, such as `payment`; the package is `staymesh-payment`.
    pub(crate) name: String,
    /// The directory that holds `Cargo.toml`.
    pub(crate) dir: PathBuf,
}

impl Crate {
    /// The crate in this directory, named after it.
    pub(crate) fn new(dir: PathBuf) -> Self {
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
        Self { name: name.unwrap_or_default(), dir }
    }

    /// The files from which the crate's module trees start: `lib.rs`, `main.rs`, programs below `src/bin`. Tests are left out, except for the crate of the
    /// cross-service tests, which is nothing but `it/main.rs`.
    pub(crate) fn roots(&self) -> Vec<PathBuf> {
        let named = ["src/lib.rs", "src/main.rs", "it/main.rs"].map(|file| self.dir.join(file));
        let programs = fs::read_dir(self.dir.join("src/bin")).into_iter().flatten().flatten().map(|entry| entry.path());
        let programs = programs.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
        named.into_iter().filter(|file| file.is_file()).chain(programs).collect()
    }
}

/// All crates of the workspace at `repository`, by name.
///
/// # Errors
///
/// If a directory cannot be read.
pub(crate) fn crates(repository: &Path) -> Result<Vec<Crate>> {
    let below = repository.join("crates");
    let mut dirs = vec![repository.join("xtask"), repository.join("tests")];
    for entry in fs::read_dir(&below).with_context(|| format!("reading {}", below.display()))? {
        dirs.push(entry?.path());
    }
    dirs.retain(|dir| dir.join("Cargo.toml").is_file());
    dirs.sort();
    Ok(dirs.into_iter().map(Crate::new).collect())
}

/// All Rust files below a directory, sorted.
///
/// # Errors
///
/// If a directory cannot be read.
pub(crate) fn rust_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut open = vec![dir.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).with_context(|| format!("reading {}", dir.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
