//! Changes of partner sales: recorded before a change of the reservation is applied, under the credit limit, and settled
//! after it was applied or dropped. Each posts its difference once.
//!
//! Terms are those of the whole sale, so a late message of an earlier revision changes nothing.

use sqlx::PgConnection;
use staymesh_domain::{FieldError, ReservationId};
use staymesh_ledger::{self as ledger, Split};
use staymesh_mesh::Problem;
use staymesh_psp::Psp;

use super::Payments;
use crate::{
    error::PaymentError,
    fault_points,
    model::{
        AmendmentRefusal, ChangeSettlement, PartnerSale, PartnerTerms, SaleState, amends, settled_sale, was_applied,
    },
    store::{
        change_settlements, partner_credit,
        partner_sale_changes::{self, Stage},
        partner_sales,
    },
};

impl<P: Psp> Payments<P> {
    /// Changes a partner sale to `terms` for the change that makes `revision`, if what it adds is within the credit limit.
    /// Idempotent by reservation and revision. A refusal records nothing, so a later attempt is decided anew. Without
    /// `limited` the change is recorded above the limit as well.
    ///
    /// # Errors
    /// [`PaymentError::CreditExceeded`] if the credit limit refuses it; [`PaymentError::ChangeNotPending`] if the sale is
    /// cancelled, or a later change or the end of this one was recorded; [`PaymentError::SaleDiffers`] if the change was
    /// recorded with other terms, or for another partner or currency; [`PaymentError::ReservationNotFound`] if there is no
    /// sale; [`PaymentError::Field`] if the taxes exceed the amount; [`PaymentError::Store`] if the database fails.
    pub async fn amend_partner_sale(
        &self,
        id: ReservationId,
        revision: i32,
        terms: &PartnerTerms,
        limited: bool,
    ) -> Result<PartnerSale, PaymentError> {
        // Never closed. The wait ends with the deadline of the request.
        let _permit = self.partner_sales.acquire().await.map_err(|closed| Problem::internal(&closed))?;
        let mut transaction = self.pool.begin().await?;
        let sale = partner_sales::lock(&mut transaction, id).await?.ok_or(PaymentError::ReservationNotFound)?;
        let after = self.sale_after(&sale, terms)?;
        let recorded = partner_sale_changes::after(&mut transaction, &sale, revision, Stage::Amended).await?;
        let settled = change_settlements::find(&mut *transaction, id, revision).await?.is_some();
        match amends(&sale, revision, terms, recorded.as_ref(), settled) {
            Ok(true) => {}
            Ok(false) => return Ok(sale),
            Err(AmendmentRefusal::Differs) => return Err(PaymentError::SaleDiffers),
            Err(AmendmentRefusal::Over) => {
                return Err(PaymentError::ChangeNotPending("the sale is cancelled, or this change of it is over"));
            }
        }
        let more = after.split.checked_minus(&sale.split).ok_or(PaymentError::SaleDiffers)?.total();
        if limited && more.minor() > 0 {
            let currency = more.currency();
            let credit =
                partner_credit::lock(&mut transaction, &sale.terms.partner, currency, &self.default_credit).await?;
            if !credit.admits(more) {
                tracing::warn!(reservation_id = %id, partner = terms.partner, "change refused by the credit limit");
                return Err(PaymentError::CreditExceeded { limit: credit.limit, used: credit.used, asked: more });
            }
        }
        change(&mut transaction, &sale, revision, Stage::Amended, &after).await?;
        let sale = partner_sales::lock(&mut transaction, id).await?.ok_or(PaymentError::ReservationNotFound)?;
        fault_points::PARTNER_SALE_AMENDED.around(transaction.commit()).await?;
        Ok(sale)
    }

    /// The sale with these terms. Its commission is that of the present setting.
    fn sale_after(&self, sale: &PartnerSale, terms: &PartnerTerms) -> Result<SaleState, PaymentError> {
        if terms.partner != sale.terms.partner || terms.amount.currency() != sale.terms.amount.currency() {
            return Err(PaymentError::SaleDiffers);
        }
        let split = Split::with_commission(terms.amount, terms.taxes, self.commission_basis_points);
        let split = split.ok_or_else(|| FieldError::new("terms.taxes.amount", "must not exceed the amount"))?;
        Ok(SaleState { terms: terms.clone(), split })
    }
}

/// Settles the locked partner sale of a reservation after a change: sets it to the terms after the change, or undoes what was
/// recorded for a dropped one. A sale that is cancelled, or that a later change has followed, stays as it is.
pub(super) async fn settle<P: Psp>(
    payments: &Payments<P>,
    connection: &mut PgConnection,
    id: ReservationId,
    sale: Option<PartnerSale>,
    settled: &ChangeSettlement,
) -> Result<(), PaymentError> {
    let sale = match (sale, &settled.sale) {
        (Some(sale), _) => sale,
        (None, Some(terms)) if !settled.dropped => {
            // The message of the sale itself comes later; it is recorded with the terms after the change.
            return payments.record(connection, id, terms, false).await.map(drop);
        }
        (None, _) => return Ok(()),
    };
    let (before, after) = match &settled.sale {
        _ if settled.dropped => (partner_sale_changes::before(connection, &sale, Some(settled.revision)).await?, None),
        Some(terms) => (None, Some(payments.sale_after(&sale, terms)?)),
        None => (None, None),
    };
    match settled_sale(&sale, settled, before, after) {
        Some(after) => change(connection, &sale, settled.revision, Stage::Settled, &after).await,
        None => Ok(()),
    }
}

/// Undoes a change of a locked sale that was recorded and neither applied nor dropped before the reservation was cancelled;
/// returns the sale as it was agreed. `terms` are those of the cancelled reservation.
pub(super) async fn undo_unapplied(
    connection: &mut PgConnection,
    sale: PartnerSale,
    terms: Option<&PartnerTerms>,
) -> Result<PartnerSale, PaymentError> {
    let revision = sale.revision;
    let amended = partner_sale_changes::after(connection, &sale, revision, Stage::Amended).await?.is_some();
    let settled = change_settlements::find(&mut *connection, sale.reservation_id, revision).await?.is_some();
    if was_applied(&sale, terms, amended, settled) || sale.cancel_time.is_some() {
        return Ok(sale);
    }
    let Some(before) = partner_sale_changes::before(connection, &sale, Some(revision)).await? else { return Ok(sale) };
    change(connection, &sale, revision, Stage::Settled, &before).await?;
    partner_sales::lock(connection, sale.reservation_id).await?.ok_or(PaymentError::ReservationNotFound)
}

/// Changes a locked sale and posts the difference.
async fn change(
    connection: &mut PgConnection,
    sale: &PartnerSale,
    revision: i32,
    stage: Stage,
    after: &SaleState,
) -> Result<(), PaymentError> {
    let change_id = partner_sale_changes::record(connection, sale, revision, stage, after).await?;
    let difference = after.split.checked_minus(&sale.split).ok_or(PaymentError::SaleDiffers)?;
    if !difference.is_zero() {
        let sold = ledger::Sold { split: difference, ..sale.sold() };
        ledger::post(connection, &sold.partner_change(&sale.terms.partner, change_id)).await?;
    }
    tracing::info!(reservation_id = %sale.reservation_id, revision, "partner sale changed");
    Ok(())
}
