//! Replays of reconciliation cases. Each repeats an idempotent step of the normal flow.

use staymesh_domain::PaymentId;
use staymesh_mesh::Problem;
use staymesh_psp::{Psp, RefundOrder};
use uuid::Uuid;

use super::Payments;
use crate::{
    error::PaymentError,
    reconcile::{
        ReconcileError, cases,
        model::{Case, Replay},
        run::{judge, wallet_finding},
        store::{self, lines, pairs::Scope, runs, wallets},
    },
    store::{audit, payments, refunds},
};

impl<P: Psp> Payments<P> {
    /// Repeats the step of a case and judges the case again. The result is known at once, except for redelivered dead
    /// letters, which the next run judges. A resolved case is returned unchanged.
    ///
    /// # Errors
    /// [`PaymentError::CaseNotFound`], [`PaymentError::NoReplay`] when the case has nothing to repeat, and what fails at the
    /// provider.
    pub async fn replay_case(&self, case_id: Uuid) -> Result<Case, PaymentError> {
        let case = cases::get(&self.pool, case_id).await?;
        if case.resolution.is_some() {
            return Ok(case);
        }
        let replay = case.finding.replay.ok_or(PaymentError::NoReplay)?;
        match (replay, case.finding.source_id) {
            (Replay::Checkout, Some(payment_id)) => self.refetch_checkout(&case, payment_id.into()).await?,
            (Replay::Refund, Some(refund_id)) => self.retry_refund(refund_id).await?,
            (Replay::Transfer, Some(transfer_id)) => self.retry_transfer(transfer_id).await?,
            (Replay::Outbox, Some(payment_id)) => {
                store::payments::redeliver_dead_letters(&self.pool, payment_id).await?;
                self.wake.wake();
            }
            (Replay::Wallet, _) => {
                let account_id = case.finding.subject_id.parse().map_err(|_| PaymentError::NoReplay)?;
                wallets::delete(&self.pool, account_id).await?;
            }
            (Replay::Checkout | Replay::Refund | Replay::Transfer | Replay::Outbox, None) => {
                return Err(PaymentError::NoReplay);
            }
        }
        let mut transaction = self.pool.begin().await?;
        let watched = audit::RECONCILIATION_CASE.before(&mut transaction, &case_id).await?;
        store::cases::record_replay(&mut *transaction, case_id).await?;
        watched.record(&mut transaction).await?;
        transaction.commit().await?;
        tracing::info!(case_id = %case_id, replay = replay.as_str(), "a reconciliation case was replayed");
        if replay != Replay::Outbox {
            self.judge_again(&case).await?;
        }
        cases::get(&self.pool, case_id).await
    }

    /// Fetches the checkout of a payment in any state, and applies its status.
    async fn refetch_checkout(&self, case: &Case, id: PaymentId) -> Result<(), PaymentError> {
        let payment = payments::find(&self.pool, id).await?.ok_or(PaymentError::NotFound)?;
        // Without a saved session, the provider's id of the charge is the session.
        let session = payment.psp_session.clone().or_else(|| case.finding.psp_id.clone());
        let session = session.ok_or(PaymentError::NoReplay)?;
        let checkout = self.psp.fetch_checkout(session.clone()).await?;
        if payment.psp_session.is_none() {
            let mut connection = self.pool.acquire().await?;
            // Refunds require the session.
            payments::save_session(&mut connection, id, &session).await?;
        }
        self.apply_checkout(id, &checkout).await.map(drop)
    }

    /// Requests a refund again with the same idempotency key: the provider returns the existing refund, or makes it.
    async fn retry_refund(&self, refund_id: Uuid) -> Result<(), PaymentError> {
        let refund = refunds::find(&self.pool, refund_id).await?.ok_or(PaymentError::NotFound)?;
        if refund.succeeded() {
            return Ok(());
        }
        let payment = payments::find(&self.pool, refund.payment_id).await?.ok_or(PaymentError::NotFound)?;
        let session = payment.psp_session.ok_or(PaymentError::NoReplay)?;
        let psp_refund = self.psp.refund(RefundOrder { refund_id, session, amount: refund.amount }).await?;
        self.refund_succeeded(&refund, &psp_refund).await
    }

    /// Records the finding of the case again, or resolves the case if it is gone.
    async fn judge_again(&self, case: &Case) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        lines::lock_exclusively(&mut transaction).await?;
        let now = runs::now(&mut transaction).await?;
        let mut findings = match case.finding.subject_id.parse() {
            Ok(account) if case.finding.replay == Some(Replay::Wallet) => {
                let mismatches = wallets::mismatches(&mut transaction, Some(account)).await?;
                mismatches.into_iter().map(|wallet| wallet_finding(wallet, case.finding.day)).collect()
            }
            _ => judge(&mut transaction, Scope::Case(case.case_id)).await.map_err(PaymentError::from)?,
        };
        // Other findings of the same subject have cases of their own; the next run judges them.
        let known = &case.finding;
        findings.retain(|found| {
            (found.kind, found.subject, &found.subject_id) == (known.kind, known.subject, &known.subject_id)
        });
        store::cases::record(&mut transaction, &findings).await?;
        store::cases::resolve_gone(&mut transaction, now, Some(case.case_id)).await?;
        Ok(transaction.commit().await?)
    }
}

impl From<ReconcileError> for PaymentError {
    fn from(error: ReconcileError) -> Self {
        match error {
            ReconcileError::Store(error) => Self::Store(error),
            ReconcileError::Reservations(problem) => Self::Dependency(problem),
            other => Self::Dependency(Problem::internal(&other)),
        }
    }
}
