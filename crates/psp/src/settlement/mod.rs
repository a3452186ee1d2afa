//! Settlement files: what the provider says has moved on a UTC day.
//!
//! A provider streams the lines of a day. A stream that ends without an error is complete: a file that is cut off, or
//! lacks its trailer, ends with an error, and nothing of it is to be used.

mod file;

use std::time::Duration;

use futures::stream::BoxStream;
use jiff::{Timestamp, civil::Date};

use crate::PspError;
pub use file::{FileError, FileReader};

/// Deadline of a whole file; each call within it has a deadline of its own.
pub(crate) const FILE_TIMEOUT: Duration = Duration::from_hours(1);

/// What moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MovementKind {
    /// Money of a guest.
    Charge,
    /// Money returned to a guest.
    Refund,
    /// Money to a hotel.
    Transfer,
    /// Money that moved for a reason that the ledger does not book, such as a dispute.
    Other,
}

/// A line of a settlement file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementLine {
    /// The provider's id of the movement, 1 to 200 characters.
    pub psp_id: String,
    /// What moved.
    pub kind: MovementKind,
    /// Our payment, refund or transfer id, as the provider repeats it; may be empty.
    pub reference: String,
    /// The provider's id of the checkout; empty for a transfer, and if the provider does not name it.
    pub session: String,
    /// The amount in minor units, 0 to 999,999,999,999,999. The kind gives the direction.
    pub amount_minor: i64,
    /// Three upper-case letters. Not parsed further: a currency that is unknown here must still be reported.
    pub currency: String,
    /// When the money moved.
    pub created: Timestamp,
    /// The provider's name of a movement of the kind [`MovementKind::Other`]; otherwise empty.
    pub note: String,
}

/// Why a settlement file cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettlementError {
    /// The day is not over at the provider.
    #[error("the provider's file of this day is not complete yet")]
    InProgress,
    /// A call failed.
    #[error(transparent)]
    Psp(#[from] PspError),
    /// The file is malformed or incomplete.
    #[error("the settlement file is invalid: {0}")]
    File(#[from] FileError),
}

/// The lines of a file in batches.
pub type SettlementLines = BoxStream<'static, Result<Vec<SettlementLine>, SettlementError>>;

/// A source of settlement files.
pub trait Settlements: Send + Sync {
    /// The file of a UTC day; with `partial`, what there is so far of a day that is not over.
    ///
    /// # Errors
    /// [`SettlementError::InProgress`] when the day is not over and `partial` is false, and what fails at the provider.
    /// The stream fails when the file breaks off.
    fn settlement(
        &self,
        day: Date,
        partial: bool,
    ) -> impl Future<Output = Result<SettlementLines, SettlementError>> + Send;
}
