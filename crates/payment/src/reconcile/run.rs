//! Going through a day.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use sqlx::{PgConnection, PgPool};
use staymesh_psp::settlement::Settlements;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    MAX_FINDINGS, Options, Progress, ReconcileError,
    classify::classify,
    model::{Class, Finding, Replay, Subject},
    stays::contradiction,
    store::{
        cases, lines,
        pairs::{self, Scope},
        runs::{self, Counts},
        stays::{self, Told},
        wallets::{self, Wrong},
    },
};
use crate::clients::reservations::ReservationClient;

/// Lines that are written at once.
const BATCH: usize = 2000;
/// Lines are not kept back for longer, for a transaction in which nothing happens is ended by the database.
const LONGEST_BATCH: Duration = Duration::from_secs(1);
/// Payments that are read at once, and reservations that are asked for at once.
const PAGE: i64 = 500;
const AT_ONCE: usize = 8;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// What it has seen and done.
    pub counts: Counts,
    /// How many cases of each class are not resolved now, of any day.
    pub unresolved: Vec<(Class, i64)>,
}

/// Goes through a day. May be stopped at any point, repeated, and run twice at once.
pub async fn run<S: Settlements>(
    pool: &PgPool,
    settlements: &S,
    reservations: &dyn ReservationClient,
    options: Options,
    mut progress: impl FnMut(Progress),
) -> Result<Summary, ReconcileError> {
    let (run_id, started) = runs::begin(pool, options.day, options.partial).await?;
    let going = Run { pool, options, started };
    match going.through(settlements, reservations, &mut progress).await {
        Ok(counts) => {
            runs::end(pool, run_id, &counts).await?;
            Ok(Summary { counts, unresolved: cases::unresolved(pool).await? })
        }
        Err(error) => {
            // What kept it from looking may keep it from saying so.
            if let Err(second) = runs::fail(pool, run_id, &error.to_string()).await {
                tracing::warn!(error.cause = %second, "the failure of the run could not be noted");
            }
            Err(error)
        }
    }
}

struct Run<'a> {
    pool: &'a PgPool,
    options: Options,
    /// By the database's clock.
    started: Timestamp,
}

impl Run<'_> {
    async fn through<S: Settlements>(
        &self,
        settlements: &S,
        reservations: &dyn ReservationClient,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Counts, ReconcileError> {
        let Options { day, partial, grace } = self.options;
        let cutoff = self.started.checked_sub(grace).map_err(|_| ReconcileError::Day)?;
        let (start, end) = (midnight(day)?, midnight(day.checked_add(1.day()).map_err(|_| ReconcileError::Day)?)?);
        // What was posted in the first moments of the day has its line in the file before.
        let before = day.checked_sub(1.day()).map_err(|_| ReconcileError::Day)?;
        if !lines::is_complete(self.pool, before).await? {
            self.read(settlements, before, false, progress).await?;
        }
        let mut counts = Counts { lines: self.read(settlements, day, partial, progress).await?, ..Counts::default() };

        let mut findings =
            self.ask(reservations, start..end.min(cutoff), cutoff, &mut counts.payments, progress).await?;
        progress(Progress::Judging);
        // The last postings of a day may be in the file of the next, by the provider's clock. The next run has them.
        let scope = Scope::Day {
            day,
            cutoff,
            posted_from: start.checked_sub(grace).map_err(|_| ReconcileError::Day)?,
            posted_until: end.min(self.started).checked_sub(grace).map_err(|_| ReconcileError::Day)?,
        };
        let mut transaction = self.pool.begin().await?;
        lines::alone(&mut transaction).await?;
        findings.extend(judge(&mut transaction, scope).await?);
        findings.extend(wallets::wrong(&mut transaction, None).await?.into_iter().map(|wrong| wallet(wrong, day)));
        if findings.len() > MAX_FINDINGS {
            return Err(ReconcileError::TooMany);
        }
        counts.found = i64::try_from(findings.len()).unwrap_or(i64::MAX);
        counts.opened = cases::note(&mut transaction, &findings).await?;
        let closed = cases::end_gone(&mut transaction, self.started, None).await?;
        counts.closed = i64::try_from(closed).unwrap_or(i64::MAX);
        transaction.commit().await?;
        Ok(counts)
    }

    /// Reads the file of a day, all of it or nothing; yields how many lines it has.
    async fn read<S: Settlements>(
        &self,
        settlements: &S,
        day: Date,
        partial: bool,
        progress: &mut impl FnMut(Progress),
    ) -> Result<i64, ReconcileError> {
        progress(Progress::Reading(day, 0));
        let mut file = settlements.settlement(day, partial).await?;
        let time = midnight(day)?..midnight(day.checked_add(1.day()).map_err(|_| ReconcileError::Day)?)?;
        let mut transaction = self.pool.begin().await?;
        lines::alone(&mut transaction).await?;
        lines::begin(&mut transaction, day, partial).await?;
        let (mut count, mut batch, mut written) = (0, Vec::new(), Instant::now());
        loop {
            let more = file.try_next().await?;
            let ended = more.is_none();
            for line in more.into_iter().flatten() {
                if !time.contains(&line.created) {
                    return Err(ReconcileError::OtherDay);
                }
                batch.push(line);
            }
            if batch.len() >= BATCH || ended || written.elapsed() > LONGEST_BATCH {
                lines::add(&mut transaction, day, count, &batch).await?;
                count += i64::try_from(batch.len()).unwrap_or(i64::MAX);
                batch.clear();
                written = Instant::now();
                progress(Progress::Reading(day, count));
            }
            if ended {
                break;
            }
        }
        lines::end(&mut transaction, day, count).await?;
        transaction.commit().await?;
        Ok(count)
    }

    /// Compares the payments that changed in this time with their reservations.
    async fn ask(
        &self,
        reservations: &dyn ReservationClient,
        changed: std::ops::Range<Timestamp>,
        cutoff: Timestamp,
        asked: &mut i64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Vec<Finding>, ReconcileError> {
        let (mut findings, mut after) = (Vec::new(), Uuid::nil());
        loop {
            progress(Progress::Asking(*asked));
            let page = stays::told(self.pool, changed.start, changed.end, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(findings) };
            after = last.payment_id;
            *asked += i64::try_from(page.len()).unwrap_or(i64::MAX);
            let judged = stream::iter(page).map(async |told| {
                let booking = reservations.get(told.reservation_id).await.map_err(ReconcileError::Reservations)?;
                let contradiction = contradiction(told.paid, booking.as_ref(), cutoff);
                Ok::<_, ReconcileError>(stay(&told, contradiction))
            });
            let judged: Vec<Option<Finding>> = judged.buffer_unordered(AT_ONCE).try_collect().await?;
            findings.extend(judged.into_iter().flatten());
            if findings.len() > MAX_FINDINGS {
                return Err(ReconcileError::TooMany);
            }
        }
    }
}

/// The differences between files and ledger.
pub(super) async fn judge(connection: &mut PgConnection, scope: Scope) -> Result<Vec<Finding>, ReconcileError> {
    let limit = i64::try_from(MAX_FINDINGS).unwrap_or(i64::MAX);
    // One more, to be seen as too many.
    let pairs = pairs::unequal(connection, scope, limit.saturating_add(1)).await?;
    if pairs.len() > MAX_FINDINGS {
        return Err(ReconcileError::TooMany);
    }
    Ok(pairs.iter().flat_map(classify).collect())
}

pub(super) fn wallet(wrong: Wrong, day: Date) -> Finding {
    Finding {
        class: Class::Wallet,
        subject: Subject::Wallet,
        subject_id: wrong.account_id.to_string(),
        day,
        psp_id: None,
        source_id: None,
        payment_id: None,
        reservation_id: None,
        expected: Some((wrong.entries_minor, wrong.currency.clone())),
        found: Some((wrong.wallet_minor, wrong.currency)),
        detail: format!("the wallet of an account {} is not the sum of its entries", wrong.kind),
        replay: Some(Replay::Wallet),
    }
}

fn stay(told: &Told, contradiction: Option<String>) -> Option<Finding> {
    let aside = || told.parked.then(|| "what others must learn of the payment was set aside".to_owned());
    let detail = contradiction.or_else(aside)?;
    Some(Finding {
        class: Class::Reservation,
        subject: Subject::Payment,
        subject_id: told.payment_id.to_string(),
        day: told.day,
        psp_id: None,
        source_id: Some(told.payment_id),
        payment_id: Some(told.payment_id),
        reservation_id: Some(told.reservation_id.as_uuid()),
        expected: None,
        found: None,
        detail,
        replay: told.parked.then_some(Replay::Outbox),
    })
}

fn midnight(day: Date) -> Result<Timestamp, ReconcileError> {
    Ok(day.to_zoned(TimeZone::UTC).map_err(|_| ReconcileError::Day)?.timestamp())
}
