//! A run of the reconciliation over a day.

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
    model::{CaseKind, Finding, Replay, Subject},
    reservations::contradiction,
    store::{
        cases, lines,
        pairs::{self, Scope},
        payments::{self, ComparablePayment},
        runs::{self, Counts},
        wallets::{self, WalletMismatch},
    },
};
use crate::clients::reservations::ReservationClient;

/// Lines that are inserted in one statement.
const BATCH: usize = 2000;
/// Lines are inserted at least this often: the database ends a transaction that is idle for too long.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// Payments in a page.
const PAGE: i64 = 500;
/// Reservations that are read concurrently.
const CONCURRENCY: usize = 8;

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Its counters.
    pub counts: Counts,
    /// The number of unresolved cases of each kind, of any day.
    pub unresolved: Vec<(CaseKind, i64)>,
}

/// Reconciles a day. Idempotent: it may be stopped at any point, repeated, and run concurrently.
///
/// # Errors
/// See [`ReconcileError`].
pub async fn run<S: Settlements>(
    pool: &PgPool,
    settlements: &S,
    reservations: &dyn ReservationClient,
    options: Options,
    mut progress: impl FnMut(Progress),
) -> Result<Summary, ReconcileError> {
    let (run_id, started) = runs::begin(pool, options.day, options.partial).await?;
    let current = Run { pool, options, started };
    match current.reconcile(settlements, reservations, &mut progress).await {
        Ok(counts) => {
            runs::end(pool, run_id, &counts).await?;
            Ok(Summary { counts, unresolved: cases::unresolved(pool).await? })
        }
        Err(error) => {
            // The cause of the failure may also prevent recording it.
            if let Err(second) = runs::fail(pool, run_id, &error.to_string()).await {
                tracing::warn!(error.cause = %second, "the failure of the run could not be recorded");
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
    async fn reconcile<S: Settlements>(
        &self,
        settlements: &S,
        reservations: &dyn ReservationClient,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Counts, ReconcileError> {
        let Options { day, partial, grace } = self.options;
        let cutoff = self.started.checked_sub(grace).map_err(|_| ReconcileError::Day)?;
        let (start, end) = (midnight(day)?, midnight(day.checked_add(1.day()).map_err(|_| ReconcileError::Day)?)?);
        // By the provider's clock, postings of the first moments of the day may be in the file of the day before.
        let before = day.checked_sub(1.day()).map_err(|_| ReconcileError::Day)?;
        if !lines::is_complete(self.pool, before).await? {
            self.read(settlements, before, false, progress).await?;
        }
        let mut counts = Counts { lines: self.read(settlements, day, partial, progress).await?, ..Counts::default() };

        let mut findings = self
            .compare_reservations(reservations, start..end.min(cutoff), cutoff, &mut counts.payments, progress)
            .await?;
        progress(Progress::Judging);
        // Postings of the last moments of the day may be in the file of the next day. The next run judges them.
        let scope = Scope::Day {
            day,
            cutoff,
            posted_from: start.checked_sub(grace).map_err(|_| ReconcileError::Day)?,
            posted_until: end.min(self.started).checked_sub(grace).map_err(|_| ReconcileError::Day)?,
        };
        let mut transaction = self.pool.begin().await?;
        lines::lock_exclusively(&mut transaction).await?;
        findings.extend(judge(&mut transaction, scope).await?);
        findings.extend(
            wallets::mismatches(&mut transaction, None).await?.into_iter().map(|wallet| wallet_finding(wallet, day)),
        );
        if findings.len() > MAX_FINDINGS {
            return Err(ReconcileError::TooMany);
        }
        counts.found = count(findings.len())?;
        counts.opened = cases::record(&mut transaction, &findings).await?;
        let closed = cases::resolve_gone(&mut transaction, self.started, None).await?;
        counts.closed = count(closed)?;
        transaction.commit().await?;
        Ok(counts)
    }

    /// Stores the file of a day completely or not at all; returns the number of its lines.
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
        lines::lock_exclusively(&mut transaction).await?;
        lines::begin(&mut transaction, day, partial).await?;
        let (mut lines_read, mut batch, mut flushed) = (0, Vec::new(), Instant::now());
        loop {
            let more = file.try_next().await?;
            let ended = more.is_none();
            for line in more.into_iter().flatten() {
                if !time.contains(&line.created) {
                    return Err(ReconcileError::OtherDay);
                }
                batch.push(line);
            }
            if batch.len() >= BATCH || ended || flushed.elapsed() > FLUSH_AFTER {
                lines::add(&mut transaction, day, lines_read, &batch).await?;
                lines_read += count(batch.len())?;
                batch.clear();
                flushed = Instant::now();
                progress(Progress::Reading(day, lines_read));
            }
            if ended {
                break;
            }
        }
        lines::end(&mut transaction, day, lines_read).await?;
        transaction.commit().await?;
        Ok(lines_read)
    }

    /// Compares the payments that changed in this time span with their reservations.
    async fn compare_reservations(
        &self,
        reservations: &dyn ReservationClient,
        changed: std::ops::Range<Timestamp>,
        cutoff: Timestamp,
        compared: &mut i64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Vec<Finding>, ReconcileError> {
        let (mut findings, mut after) = (Vec::new(), Uuid::nil());
        loop {
            progress(Progress::Comparing(*compared));
            let page = payments::comparable(self.pool, changed.start, changed.end, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(findings) };
            after = last.payment_id;
            *compared += count(page.len())?;
            let judged = stream::iter(page).map(async |payment| {
                let booking = reservations.get(payment.reservation_id).await.map_err(ReconcileError::Reservations)?;
                let contradiction = contradiction(payment.paid, booking.as_ref(), cutoff);
                Ok::<_, ReconcileError>(reservation_finding(&payment, contradiction))
            });
            let judged: Vec<Option<Finding>> = judged.buffer_unordered(CONCURRENCY).try_collect().await?;
            findings.extend(judged.into_iter().flatten());
            if findings.len() > MAX_FINDINGS {
                return Err(ReconcileError::TooMany);
            }
        }
    }
}

/// The findings between settlement files and ledger.
pub(crate) async fn judge(connection: &mut PgConnection, scope: Scope) -> Result<Vec<Finding>, ReconcileError> {
    // One more than the limit, to detect that it is exceeded.
    let pairs = pairs::unequal(connection, scope, count(MAX_FINDINGS)? + 1).await?;
    if pairs.len() > MAX_FINDINGS {
        return Err(ReconcileError::TooMany);
    }
    Ok(pairs.iter().flat_map(classify).collect())
}

pub(crate) fn wallet_finding(wallet: WalletMismatch, day: Date) -> Finding {
    Finding {
        kind: CaseKind::Wallet,
        subject: Subject::Wallet,
        subject_id: wallet.account_id.to_string(),
        day,
        psp_id: None,
        source_id: None,
        payment_id: None,
        reservation_id: None,
        expected: Some((wallet.entries_minor, wallet.currency.clone())),
        found: Some((wallet.wallet_minor, wallet.currency)),
        detail: format!("the wallet of an account {} is not the sum of its entries", wallet.kind),
        replay: Some(Replay::Wallet),
    }
}

fn reservation_finding(payment: &ComparablePayment, contradiction: Option<String>) -> Option<Finding> {
    let dead_letter = || payment.has_dead_letter.then(|| "an event of the payment is a dead letter".to_owned());
    let detail = contradiction.or_else(dead_letter)?;
    Some(Finding {
        kind: CaseKind::Reservation,
        subject: Subject::Payment,
        subject_id: payment.payment_id.to_string(),
        day: payment.day,
        psp_id: None,
        source_id: Some(payment.payment_id),
        payment_id: Some(payment.payment_id),
        reservation_id: Some(payment.reservation_id.as_uuid()),
        expected: None,
        found: None,
        detail,
        replay: payment.has_dead_letter.then_some(Replay::Outbox),
    })
}

/// A count as the database stores it.
fn count(number: impl TryInto<i64>) -> Result<i64, ReconcileError> {
    number.try_into().map_err(|_| ReconcileError::TooMany)
}

/// The first instant of a UTC day.
fn midnight(day: Date) -> Result<Timestamp, ReconcileError> {
    Ok(day.to_zoned(TimeZone::UTC).map_err(|_| ReconcileError::Day)?.timestamp())
}
