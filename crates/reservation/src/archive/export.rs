//! Exports an archived month to a CSV file.

use std::{
    io,
    path::{Path, PathBuf},
};

use futures::TryStreamExt;
use jiff::civil::Date;
use sqlx::PgConnection;
use staymesh_store::StoreError;
use tokio::{
    fs::{self, File},
    io::{AsyncWriteExt, BufWriter},
};

use super::store;

/// A file or folder that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct FileError {
    /// The file or folder.
    pub path: PathBuf,
    /// The error of the operating system.
    #[source]
    pub source: io::Error,
}

/// Why an export failed.
pub(super) enum ExportError {
    Store(StoreError),
    File(FileError),
}

impl From<StoreError> for ExportError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The file of a month.
pub(super) fn path(folder: &Path, month: Date) -> PathBuf {
    folder.join(format!("{}.csv", store::name(month)))
}

/// Writes an archived month as CSV with a header, in the order of its keys. Yields the nights written. The file is
/// complete and synced to disk, or absent under its name.
pub(super) async fn write(connection: &mut PgConnection, month: Date, path: &Path) -> Result<u64, ExportError> {
    let failed = |source| ExportError::File(FileError { path: path.to_owned(), source });
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).await.map_err(failed)?;
    let unfinished = path.with_extension("csv.part");
    let mut file = BufWriter::new(File::create(&unfinished).await.map_err(failed)?);
    let mut lines = 0;
    let mut chunks = std::pin::pin!(store::csv(connection, month).await?);
    while let Some(chunk) = chunks.try_next().await? {
        let chunk = chunk.as_ref();
        lines += chunk.split(|byte| *byte == b'\n').skip(1).count() as u64;
        file.write_all(chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    file.get_ref().sync_all().await.map_err(failed)?;
    fs::rename(&unfinished, path).await.map_err(failed)?;
    // The directory entry must be on disk, too, before the table is dropped.
    File::open(folder).await.map_err(failed)?.sync_all().await.map_err(failed)?;
    Ok(lines.saturating_sub(1))
}
