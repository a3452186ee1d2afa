//! The lock file that allows one running mesh in one checkout.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

const NAME: &str = "up.lock";

/// Held while a mesh runs. The kernel releases the lock with the process, so a killed run leaves none behind; the
/// process id in the file is only for the message.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
        let path = dir.join(NAME);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // An unreadable id only makes the message less precise.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                bail!(
                    "Staymesh already runs in this checkout (process {holder}): stop it with Ctrl-C in its terminal, \
                     or with `kill {holder}`, and try again"
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
        file.set_len(0)?;
        write!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

/// Whether this is the lock's file.
pub(super) fn is_lock(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == NAME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_names_the_process_that_holds_the_lock() {
        let dir = std::env::temp_dir().join(format!("staymesh-lock-{}", std::process::id()));
        let first = Lock::take(&dir).unwrap();
        let second = Lock::take(&dir).map(drop).unwrap_err().to_string();
        assert!(second.contains(&format!("kill {}", std::process::id())), "{second}");
        drop(first);
        assert!(Lock::take(&dir).is_ok());
        fs::remove_dir_all(&dir).unwrap();
    }
}
