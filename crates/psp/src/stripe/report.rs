//! The settlement file of a day, read from Stripe's list of balance transactions. Stripe's own reports are generated with
//! delay; the list is current, and its expanded sources carry our ids.
//!
//! The list is paged, newest first. One page is in memory at a time, and each is retried with exponential backoff and
//! jitter while Stripe is overloaded or fails. A page that keeps failing ends the stream with an error.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use reqwest::Method;
use tokio::time::Instant;

use super::{StripePsp, movement::Movement, object::Page};
use crate::{
    PspError,
    http::is_key_rejected,
    settlement::{FILE_TIMEOUT, SettlementError, SettlementLine, SettlementLines, Settlements},
};

/// Largest page, in bytes: 100 transactions with expanded sources.
const MAX_RESPONSE: usize = 4 * 1024 * 1024;
/// Largest number of pages of a day: a million transactions.
const MAX_PAGES: usize = 10_000;
/// The timeout of a page, as a multiple of a call's: it carries 100 objects.
pub(crate) const TIMEOUT_FACTOR: u32 = 4;
/// Attempts at a page.
pub(crate) const ATTEMPTS: u32 = 6;
/// The pause after the first failure; it doubles with each further one.
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// A day is complete this long after midnight: for clock skew, and for transactions that Stripe lists late.
const LISTING_DELAY: SignedDuration = SignedDuration::from_mins(5);

impl Settlements for StripePsp {
    async fn settlement(&self, day: Date, partial: bool) -> Result<SettlementLines, SettlementError> {
        let (start, end) = bounds(day).ok_or_else(|| PspError::Refused("no_such_day".to_owned()))?;
        if !partial && Timestamp::now().duration_since(end) < LISTING_DELAY {
            return Err(SettlementError::InProgress);
        }
        let list = List {
            psp: Self { http: self.http.scaled(TIMEOUT_FACTOR, MAX_RESPONSE), ..self.clone() },
            created: [start.as_second(), end.as_second()],
            deadline: Instant::now() + FILE_TIMEOUT,
            cursor: Cursor::Start,
            pages: 0,
        };
        let lines = stream::try_unfold(list, |mut list| async move {
            let lines = list.next().await?;
            Ok(lines.map(|lines| (lines, list)))
        });
        Ok(lines.boxed())
    }
}

/// The first instants of a UTC day and of the next.
fn bounds(day: Date) -> Option<(Timestamp, Timestamp)> {
    let midnight = |day: Date| Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp());
    Some((midnight(day)?, midnight(day.checked_add(1.day()).ok()?)?))
}

/// The position in the list of a day.
struct List {
    psp: StripePsp,
    /// Unix seconds: from the first on, and before the second.
    created: [i64; 2],
    deadline: Instant,
    cursor: Cursor,
    pages: usize,
}

enum Cursor {
    Start,
    /// The id of the last transaction read.
    After(String),
    End,
}

impl List {
    /// The lines of the next page; `None` at the end.
    async fn next(&mut self) -> Result<Option<Vec<SettlementLine>>, PspError> {
        if matches!(self.cursor, Cursor::End) {
            return Ok(None);
        }
        self.pages += 1;
        if self.pages > MAX_PAGES {
            return Err(PspError::Unknown("the day has more pages than the limit"));
        }
        let pauses = ExponentialBuilder::default()
            .with_min_delay(self.psp.pause)
            .with_max_times(ATTEMPTS.saturating_sub(1) as usize)
            .with_jitter();
        let retryable = |error: &PspError| is_transient(error) && Instant::now() < self.deadline;
        let Page { data, has_more } = (|| self.page()).retry(pauses).when(retryable).await?;
        self.cursor = match (has_more, data.last(), &self.cursor) {
            (false, ..) => Cursor::End,
            (true, None, _) => return Err(PspError::Unknown("the list has an empty page before its end")),
            (true, Some(last), Cursor::After(before)) if last.id == *before => {
                return Err(PspError::Unknown("the list repeats its cursor"));
            }
            (true, Some(last), _) => Cursor::After(last.id.clone()),
        };
        let lines: Result<Vec<_>, _> = data.iter().map(Movement::line).filter_map(Result::transpose).collect();
        lines.map(Some)
    }

    async fn page(&self) -> Result<Page<Movement>, PspError> {
        let deadline = self.psp.http.deadline().min(self.deadline);
        let request = self.psp.request(Method::GET, &["v1", "balance_transactions"], deadline)?;
        let [from, until] = self.created;
        let mut request = request
            .query(&[("created[gte]", from), ("created[lt]", until), ("limit", 100)])
            .query(&[("expand[]", "data.source")]);
        if let Cursor::After(last) = &self.cursor {
            request = request.query(&[("starting_after", last)]);
        }
        self.psp.call(request).await
    }
}

/// Whether a retry may succeed.
fn is_transient(error: &PspError) -> bool {
    match error {
        PspError::Unavailable(_) => !is_key_rejected(error),
        PspError::NoResponse(_) | PspError::Unknown(_) => true,
        PspError::Refused(_) | PspError::ReturnUrl | PspError::UnsupportedAmount(_) | PspError::Pending(_) => false,
    }
}
