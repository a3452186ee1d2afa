//! A month as a file.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use jiff::civil::Date;
use sqlx::PgConnection;
use tokio::{
    fs::{self, File},
    io::{AsyncWriteExt, BufWriter},
};

use super::{ArchiveError, partition};

/// Where a month goes.
pub(super) fn path(folder: &Path, month: Date) -> PathBuf {
    folder.join(format!("{}.csv", partition::name(month)))
}

/// Writes a month of the archive as CSV with a header, in the order of its keys, and tells how many nights it has. The
/// file is complete and on the disk, or it is not there under its name.
pub(super) async fn write(connection: &mut PgConnection, month: Date, path: &Path) -> Result<u64, ArchiveError> {
    let failed = |source| ArchiveError::File { path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).await.map_err(failed)?;
    let unfinished = path.with_extension("csv.part");
    let mut file = BufWriter::new(File::create(&unfinished).await.map_err(failed)?);
    let sql = format!(
        "copy (select * from archive.{} order by hotel_id, room_type_id, stay_date) to stdout (format csv, header)",
        partition::name(month)
    );
    let mut lines = 0;
    let mut rows = connection.copy_out_raw(&sql).await?;
    while let Some(chunk) = rows.try_next().await? {
        lines += chunk.split(|byte| *byte == b'\n').skip(1).count() as u64;
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    file.get_ref().sync_all().await.map_err(failed)?;
    fs::rename(&unfinished, path).await.map_err(failed)?;
    // The name, too, must be on the disk before the table goes.
    File::open(folder).await.map_err(failed)?.sync_all().await.map_err(failed)?;
    Ok(lines.saturating_sub(1))
}
