//! Random secrets that are generated once and kept in a file.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

/// The secret in this file: 64 hexadecimal digits (256 random bits), generated at the first call, mode 0600.
///
/// # Errors
///
/// If the file cannot be read or written.
pub fn keep_secret(path: &Path) -> Result<String> {
    match fs::read_to_string(path) {
        Ok(secret) if !secret.is_empty() => return Ok(secret),
        _ => {}
    }
    let mut random = [0_u8; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let secret = hex::encode(random);
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("making {}", path.display()))?;
    file.write_all(secret.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn keep_secret_returns_the_same_private_secret() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("secret");
        let secret = keep_secret(&path)?;
        assert_eq!(secret.len(), 64);
        assert_eq!(keep_secret(&path)?, secret);
        assert_ne!(keep_secret(&dir.path().join("other"))?, secret);
        assert_eq!(fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
        Ok(())
    }
}
