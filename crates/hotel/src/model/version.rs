//! Versions of rows: etags, timestamps, and what a delete has to know.

use jiff::Timestamp;
use sqlx::FromRow;

/// The etag of a version of a row: differs between rows of one table, and between the versions of one row.
pub(super) fn etag(id: i32, version: i64) -> String {
    format!("{id:x}-{version:x}")
}

/// When a row was inserted and last updated.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct Times {
    /// When it was inserted.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub(crate) create_time: Timestamp,
    /// When its fields last changed.
    #[sqlx(try_from = "jiff_sqlx::Timestamp")]
    pub(crate) update_time: Timestamp,
}

/// State of a row that may be soft-deleted.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct RowState {
    /// Whether the row is deleted already.
    pub(crate) deleted: bool,
    /// Number of the current version; each update and the delete add one.
    pub(crate) version: i64,
}

impl RowState {
    /// The etag of the row, given its id.
    pub(crate) fn etag(&self, id: impl Into<i32>) -> String {
        etag(id.into(), self.version)
    }
}
