//! The credit of partners who collect: its limit, and the payments that give it back.
//!
//! The ledger says what a partner owes: sales add to it, cancellations and the partner's payments take from it. Whether a
//! sale is within the limit is decided in [`partner_sales`](super::partner_sales), in the transaction that posts it.

use staymesh_domain::{Money, Page};
use staymesh_ledger::{self as ledger, postings};
use staymesh_psp::Psp;
use staymesh_store::{ResultExt, idempotency};
use uuid::Uuid;

use super::Payments;
use crate::{
    error::PaymentError,
    model::{CreditLimit, NewPartnerPayment, PartnerPayment},
    store::{
        audit::{self, credit_id},
        partner_credit,
    },
};

impl<P: Psp> Payments<P> {
    /// A page of the credit of a partner in each currency, by currency code, and the token of the next page, which is empty on
    /// the last.
    ///
    /// # Errors
    /// [`PaymentError::Store`] if the database fails.
    pub async fn credit_limits(
        &self,
        partner: &str,
        page: &Page<String>,
    ) -> Result<(Vec<CreditLimit>, String), PaymentError> {
        let mut connection = self.pool.acquire().await?;
        let (after, limit) = (page.after.as_deref(), page.size.limit());
        let rows = partner_credit::list(&mut connection, partner, &self.default_credit, after, limit).await?;
        Ok(page.cut(rows, |credit| credit.limit.currency().code().to_owned()))
    }

    /// Sets the credit limit of a partner in the currency of `limit`. Idempotent. A limit below what the partner owes
    /// stops its sales until it has paid.
    ///
    /// # Errors
    /// [`PaymentError::CreditLimitChanged`] if `etag` is given and stale; [`PaymentError::Store`] if the database fails.
    pub async fn set_credit_limit(&self, partner: &str, limit: Money, etag: &str) -> Result<CreditLimit, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let before = partner_credit::lock(&mut transaction, partner, limit.currency(), &self.default_credit).await?;
        if !before.is_default && before.limit == limit {
            return Ok(before);
        }
        if !etag.is_empty() && etag != before.etag() {
            return Err(PaymentError::CreditLimitChanged);
        }
        let id = credit_id(partner, limit.currency());
        let watched = audit::PARTNER_CREDIT_LIMIT.before(&mut transaction, &id).await?;
        partner_credit::set_limit(&mut transaction, partner, limit).await?;
        watched.record(&mut transaction).await?;
        transaction.commit().await?;
        tracing::info!(partner, currency = limit.currency().code(), limit_minor = limit.minor(), "credit limit set");
        Ok(CreditLimit { limit, is_default: false, version: before.version + 1, ..before })
    }

    /// Records that a partner has paid, and returns its credit afterwards. Idempotent by request id, compared with the
    /// whole request.
    ///
    /// # Errors
    /// [`PaymentError::PaymentExceedsDebt`] if it is more than what the partner owes and the rest is not to be kept as
    /// credit; [`PaymentError::RequestIdReused`] if the request id was used for another payment;
    /// [`PaymentError::Store`] if the database fails.
    pub async fn record_partner_payment(
        &self,
        new: &NewPartnerPayment,
    ) -> Result<(PartnerPayment, CreditLimit), PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let currency = new.amount.currency();
        let credit = partner_credit::lock(&mut transaction, &new.partner, currency, &self.default_credit).await?;
        if let Some(made) = partner_credit::payment_by_request(&mut transaction, new.request_id).await? {
            let same = made.request == *new;
            return Ok((idempotency::require_same(made, same)?, credit));
        }
        if !new.keep_credit && new.amount.minor() > credit.used.minor() {
            return Err(PaymentError::PaymentExceedsDebt { owed: credit.used });
        }
        let used = credit.used.checked_sub(new.amount)?;
        let id = Uuid::now_v7();
        let watched = audit::PARTNER_PAYMENT.created(&id);
        // The same request id for another partner: its lock is another.
        let payment = partner_credit::insert_payment(&mut transaction, id, new)
            .await
            .on_constraint("partner_payment_request_key", |_| PaymentError::RequestIdReused)?;
        ledger::post(&mut transaction, &postings::partner_paid(id, &new.partner, new.amount)).await?;
        watched.record(&mut transaction).await?;
        transaction.commit().await?;
        tracing::info!(partner_payment_id = %id, partner = new.partner, "partner payment recorded");
        Ok((payment, CreditLimit { used, ..credit }))
    }

    /// A page of a partner's payments, newest first, and the token of the next page, which is empty on the last.
    ///
    /// # Errors
    /// [`PaymentError::Store`] if the database fails.
    pub async fn list_partner_payments(
        &self,
        partner: &str,
        page: &Page<Uuid>,
    ) -> Result<(Vec<PartnerPayment>, String), PaymentError> {
        let rows = partner_credit::payments_of(&self.pool, partner, page.after, page.size.limit()).await?;
        Ok(page.cut(rows, |payment| payment.partner_payment_id))
    }
}
