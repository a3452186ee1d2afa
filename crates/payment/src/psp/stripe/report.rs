//! What moved on a day, as Stripe's balance transactions have it. Stripe has files, too, but makes them when it has time;
//! the list is there at once, and says which of our payments each movement is about.
//!
//! The list comes in pages, newest first, and only what an answer refers to is fetched with it. One page is in memory at a
//! time; each is asked for again while Stripe is too busy or in trouble. A list that breaks off for good is no list.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use reqwest::Method;
use tokio::time::Instant;

use super::{StripePsp, movement::Movement, object::Page};
use crate::{
    psp::{
        PspError,
        http::is_wrong_key,
        settlement::{LONGEST_FILE, SettlementError, SettlementLines, Settlements},
    },
    reconcile::model::SettlementLine,
};

/// Largest page that is read, in bytes: a hundred charges with all that Stripe knows of them.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Most pages of a day that are read: a million movements.
const MAX_PAGES: usize = 10_000;
/// How much longer than another call a page may take: it carries a hundred objects.
pub(in crate::psp) const PATIENCE: u32 = 4;
/// How often a page is asked for, and the pause after the first failure; each further one is twice as long.
pub(in crate::psp) const ATTEMPTS: u32 = 6;
pub(super) const PAUSE: Duration = Duration::from_millis(500);
/// So long after midnight a day is over: for clocks that differ, and for what Stripe lists a moment late.
const AFTER_MIDNIGHT: SignedDuration = SignedDuration::from_mins(5);

impl Settlements for StripePsp {
    async fn settlement(&self, day: Date, partial: bool) -> Result<SettlementLines, SettlementError> {
        let (start, end) = bounds(day).ok_or_else(|| PspError::Refused("no_such_day".to_owned()))?;
        if !partial && Timestamp::now().duration_since(end) < AFTER_MIDNIGHT {
            return Err(SettlementError::InProgress);
        }
        let list = List {
            psp: Self { http: self.http.patient(PATIENCE, MAX_ANSWER), ..self.clone() },
            created: [start.as_second(), end.as_second()],
            deadline: Instant::now() + LONGEST_FILE,
            place: Place::Start,
            pages: 0,
        };
        let lines = stream::try_unfold(list, |mut list| async move {
            let lines = list.next().await?;
            Ok(lines.map(|lines| (lines, list)))
        });
        Ok(lines.boxed())
    }
}

/// The first moment of a day and of the next, UTC.
fn bounds(day: Date) -> Option<(Timestamp, Timestamp)> {
    let midnight = |day: Date| Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp());
    Some((midnight(day)?, midnight(day.checked_add(1.day()).ok()?)?))
}

/// The list of a day, as far as it was read.
struct List {
    psp: StripePsp,
    /// From this second on, and before that.
    created: [i64; 2],
    deadline: Instant,
    place: Place,
    pages: usize,
}

enum Place {
    Start,
    /// The last movement that was read.
    After(String),
    End,
}

impl List {
    /// The lines of the next page; none at the end.
    async fn next(&mut self) -> Result<Option<Vec<SettlementLine>>, PspError> {
        if matches!(self.place, Place::End) {
            return Ok(None);
        }
        self.pages += 1;
        if self.pages > MAX_PAGES {
            return Err(PspError::Unknown("more movements of a day than are read"));
        }
        let pauses = ExponentialBuilder::default()
            .with_min_delay(self.psp.pause)
            .with_max_times(ATTEMPTS.saturating_sub(1) as usize)
            .with_jitter();
        let again = |error: &PspError| passes(error) && Instant::now() < self.deadline;
        let Page { data, has_more } = (|| self.page()).retry(pauses).when(again).await?;
        self.place = match (has_more, data.last(), &self.place) {
            (false, ..) => Place::End,
            (true, None, _) => return Err(PspError::Unknown("a list that says there is more and has nothing")),
            (true, Some(last), Place::After(before)) if last.id == *before => {
                return Err(PspError::Unknown("a list that does not go on"));
            }
            (true, Some(last), _) => Place::After(last.id.clone()),
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
        if let Place::After(last) = &self.place {
            request = request.query(&[("starting_after", last)]);
        }
        self.psp.call(request).await
    }
}

/// Whether the same question may be answered in a moment.
fn passes(error: &PspError) -> bool {
    match error {
        PspError::Unavailable(_) => !is_wrong_key(error),
        PspError::NoAnswer(_) | PspError::Unknown(_) => true,
        PspError::Refused(_) | PspError::Amount(_) | PspError::NotYet(_) => false,
    }
}
