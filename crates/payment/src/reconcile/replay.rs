//! Doing again what can be done again. Each is the way that the money takes every day, and may be repeated.

use staymesh_domain::PaymentId;
use staymesh_mesh::Problem;
use staymesh_psp::{Psp, RefundOrder};
use uuid::Uuid;

use super::{
    ReconcileError, desk,
    model::{Case, Replay},
    run::{judge, wallet},
    store::{cases, lines, pairs::Scope, stays, wallets},
};
use crate::{
    error::PaymentError,
    service::Payments,
    store::{payments, refunds},
};

impl<P: Psp> Payments<P> {
    /// Does again what can be done again about a case, and looks at it anew. Whether that has put it right is seen at once
    /// or, when others must be told, by the next run. A case that is over stays as it is.
    pub async fn replay_case(&self, case_id: Uuid) -> Result<Case, PaymentError> {
        let case = desk::get(&self.pool, case_id).await?;
        if case.resolution.is_some() {
            return Ok(case);
        }
        let replay = case.finding.replay.ok_or(PaymentError::NoReplay)?;
        match (replay, case.finding.source_id) {
            (Replay::Checkout, Some(payment_id)) => self.ask_for_checkout(&case, payment_id.into()).await?,
            (Replay::Refund, Some(refund_id)) => self.ask_for_refund(refund_id).await?,
            (Replay::Transfer, Some(transfer_id)) => self.ask_for_transfer(transfer_id).await?,
            (Replay::Outbox, Some(payment_id)) => {
                stays::send_again(&self.pool, payment_id).await?;
                self.wake.wake();
            }
            (Replay::Wallet, _) => {
                let account_id = case.finding.subject_id.parse().map_err(|_| PaymentError::NoReplay)?;
                wallets::forget(&self.pool, account_id).await?;
            }
            (Replay::Checkout | Replay::Refund | Replay::Transfer | Replay::Outbox, None) => {
                return Err(PaymentError::NoReplay);
            }
        }
        cases::replayed(&self.pool, case_id).await?;
        tracing::info!(case_id = %case_id, replay = replay.as_str(), "a reconciliation case was replayed");
        if replay != Replay::Outbox {
            self.look_again(&case).await?;
        }
        desk::get(&self.pool, case_id).await
    }

    /// As the sweep asks for an open payment, but for any: it may have been given up here.
    async fn ask_for_checkout(&self, case: &Case, id: PaymentId) -> Result<(), PaymentError> {
        let payment = payments::find(&self.pool, id).await?.ok_or(PaymentError::NotFound)?;
        // The id of a charge is that of its page where the payment does not know its own.
        let session = payment.psp_session.clone().or_else(|| case.finding.psp_id.clone());
        let session = session.ok_or(PaymentError::NoReplay)?;
        let checkout = self.psp.fetch_checkout(session.clone()).await?;
        if payment.psp_session.is_none() {
            let mut connection = self.pool.acquire().await?;
            // Without it nothing could be paid back.
            payments::save_session(&mut connection, id, &session).await?;
        }
        self.apply_checkout(id, &checkout).await.map(drop)
    }

    /// With the key that the provider knows it by: it tells of the refund it has made, or makes it.
    async fn ask_for_refund(&self, refund_id: Uuid) -> Result<(), PaymentError> {
        let refund = refunds::find(&self.pool, refund_id).await?.ok_or(PaymentError::NotFound)?;
        if refund.succeeded {
            return Ok(());
        }
        let payment = payments::find(&self.pool, refund.payment_id).await?.ok_or(PaymentError::NotFound)?;
        let session = payment.psp_session.ok_or(PaymentError::NoReplay)?;
        let psp_refund = self.psp.refund(RefundOrder { refund_id, session, amount: refund.amount }).await?;
        self.refund_succeeded(&refund, &psp_refund).await
    }

    /// Finds the case's difference again, or ends the case.
    async fn look_again(&self, case: &Case) -> Result<(), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        lines::alone(&mut transaction).await?;
        let now: jiff_sqlx::Timestamp = sqlx::query_scalar("select now()").fetch_one(&mut *transaction).await?;
        let mut findings = match case.finding.subject_id.parse() {
            Ok(account) if case.finding.replay == Some(Replay::Wallet) => {
                let wrong = wallets::wrong(&mut transaction, Some(account)).await?;
                wrong.into_iter().map(|wrong| wallet(wrong, case.finding.day)).collect()
            }
            _ => judge(&mut transaction, Scope::Case(case.case_id)).await.map_err(PaymentError::from)?,
        };
        // Others of the same subject have cases of their own, for the next run.
        let known = &case.finding;
        findings.retain(|found| {
            (found.class, found.subject, &found.subject_id) == (known.class, known.subject, &known.subject_id)
        });
        cases::note(&mut transaction, &findings).await?;
        cases::end_gone(&mut transaction, now.to_jiff(), Some(case.case_id)).await?;
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
