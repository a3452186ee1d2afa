//! The provider's settlement files: what it says has moved on a day.

use std::{future::Future, time::Duration};

use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use jiff::civil::Date;
use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use super::{
    PspError,
    http::{Pieces, wrong_key},
    provider::AnyPsp,
    simulator::SimulatorPsp,
    stripe::report,
};
use crate::reconcile::{
    file::{FileError, FileReader},
    model::SettlementLine,
};

/// Longest time for a whole file; each piece of it has the deadline of a call.
pub(super) const LONGEST_FILE: Duration = Duration::from_hours(1);

/// The longest time between two pieces of a file, of whichever provider, where a call may take `timeout`.
pub const fn longest_pause(timeout: Duration) -> Duration {
    // Pauses between attempts double, and come to less than twice the last with what chance adds.
    Duration::from_mins(1).saturating_add(timeout.saturating_mul(report::PATIENCE * report::ATTEMPTS))
}

/// Why a settlement file cannot be had, or not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettlementError {
    /// The day is not over at the provider.
    #[error("the provider's file of this day is not complete yet")]
    InProgress,
    /// It cannot be asked, or broke off.
    #[error(transparent)]
    Psp(#[from] PspError),
    /// It is no settlement file, or not all of it.
    #[error("the settlement file is not as it must be: {0}")]
    File(#[from] FileError),
}

/// The lines of a file, some at a time. A file that breaks off or lacks its trailer ends with an error.
pub type SettlementLines = BoxStream<'static, Result<Vec<SettlementLine>, SettlementError>>;

/// Who has settlement files, or what is as good.
pub trait Settlements: Send + Sync {
    /// The file of a UTC day; with `partial` also of one that is not over.
    fn settlement(
        &self,
        day: Date,
        partial: bool,
    ) -> impl Future<Output = Result<SettlementLines, SettlementError>> + Send;
}

impl Settlements for AnyPsp {
    async fn settlement(&self, day: Date, partial: bool) -> Result<SettlementLines, SettlementError> {
        match self {
            Self::Simulator(psp) => psp.settlement(day, partial).await,
            Self::Stripe(psp) => psp.settlement(day, partial).await,
        }
    }
}

impl Settlements for SimulatorPsp {
    async fn settlement(&self, day: Date, partial: bool) -> Result<SettlementLines, SettlementError> {
        let file = format!("{day}.csv");
        let request = self.0.request(Method::GET, &["v1", "settlements", &file], Instant::now() + LONGEST_FILE)?;
        let request = if partial { request.query(&[("partial", "true")]) } else { request };
        match self.0.pieces(request).await? {
            Ok(pieces) => Ok(lines(pieces)),
            Err(status) => Err(refusal(status)),
        }
    }
}

fn refusal(status: StatusCode) -> SettlementError {
    match status {
        StatusCode::CONFLICT => SettlementError::InProgress,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => wrong_key().into(),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            PspError::Unavailable("it is too busy").into()
        }
        status if status.is_client_error() => PspError::Refused(format!("http_{}", status.as_u16())).into(),
        _ => PspError::Unknown("it answered with an error of its own").into(),
    }
}

fn lines(pieces: Pieces) -> SettlementLines {
    stream::try_unfold((pieces, FileReader::default()), |(mut pieces, mut reader)| async {
        let Some(piece) = pieces.next().await? else {
            reader.finish()?;
            return Ok(None);
        };
        let lines = reader.read(&piece)?;
        Ok(Some((lines, (pieces, reader))))
    })
    .boxed()
}

#[cfg(test)]
#[path = "settlement_tests.rs"]
mod tests;
