//! Sales whose money a partner collects: the partner owes the amount, and a cancellation credits what its policy refunds.
//!
//! Only the ledger changes; no money moves here. The credit limit of the partner decides whether a sale is recorded: under
//! a lock on its credit, what the ledger says it owes and the sale together are at most the limit. Only a sale and a change
//! of one add to the debt, and both hold the lock, so the decision is exact however many are made at once.

use jiff::civil::Date;
use sqlx::PgConnection;
use staymesh_domain::{FieldError, Money, Page, ReservationId};
use staymesh_ledger::{self as ledger, Split};
use staymesh_mesh::Problem;
use staymesh_psp::Psp;
use uuid::Uuid;

use super::{Payments, amendments};
use crate::{
    error::PaymentError,
    fault_points,
    model::{BOOKING, CreditRefusal, PartnerSale, PartnerTerms},
    store::{partner_credit, partner_sale_changes, partner_sales},
};

/// Whether the sale of a reservation was recorded. Both are final.
type Decision = Result<PartnerSale, CreditRefusal>;

/// Cursor of an invoice: the day of departure and the reservation id of the last line of a page.
pub type InvoiceCursor = (Date, Uuid);

impl<P: Psp> Payments<P> {
    /// Records what a partner owes for a reservation, if it is within its credit limit. Idempotent by reservation: a sale
    /// that was refused stays refused. Without `limited` the sale is recorded above the limit as well: the reservation is
    /// confirmed already, as earlier releases did it.
    ///
    /// # Errors
    /// [`PaymentError::CreditExceeded`] if the credit limit refuses the sale; [`PaymentError::SaleDiffers`] if the sale was
    /// recorded with other terms; [`PaymentError::Field`] if the taxes exceed the amount; [`PaymentError::Store`] if the
    /// database fails.
    pub async fn record_partner_sale(
        &self,
        id: ReservationId,
        terms: &PartnerTerms,
        limited: bool,
    ) -> Result<PartnerSale, PaymentError> {
        // Never closed. The wait ends with the deadline of the request.
        let _turn = self.partner_sales.acquire().await.map_err(|closed| Problem::internal(&closed))?;
        let mut transaction = self.pool.begin().await?;
        let decision = self.record(&mut transaction, id, terms, limited).await?;
        fault_points::PARTNER_SALE_RECORDED.around(transaction.commit()).await?;
        decision.map_err(|CreditRefusal { limit, used, asked }| PaymentError::CreditExceeded { limit, used, asked })
    }

    /// Credits the partner `refund` after the reservation was cancelled, at most the amount of the sale. Idempotent: a
    /// sale is credited once. If `terms` are given, records the sale first unless it is recorded or was refused. `None` if
    /// no partner collects for this reservation, or its sale was refused.
    ///
    /// # Errors
    /// As [`Self::record_partner_sale`] without a limit, and [`PaymentError::Field`] if `refund` is negative or in another
    /// currency.
    pub async fn settle_partner_sale(
        &self,
        id: ReservationId,
        refund: Money,
        terms: Option<&PartnerTerms>,
    ) -> Result<Option<PartnerSale>, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let sale = match (partner_sales::lock(&mut transaction, id).await?, terms) {
            // It was changed: the terms of the reservation say whether the latest change was applied.
            (Some(sale), terms) if sale.revision > BOOKING => {
                Some(amendments::undo_unapplied(&mut transaction, sale, terms).await?)
            }
            (_, Some(terms)) => self.record(&mut transaction, id, terms, false).await?.ok(),
            (sale, None) => sale,
        };
        let Some(sale) = sale else { return Ok(None) };
        let sale = credit(&mut transaction, sale, refund).await?;
        fault_points::PARTNER_SALE_SETTLED.around(transaction.commit()).await?;
        Ok(Some(sale))
    }

    /// A page of a partner's invoice, ordered by day of departure, and the token of the next page, which is empty on the
    /// last. `days` limits the departures to a half-open range [first, last) with optional bounds.
    ///
    /// # Errors
    /// [`PaymentError::Store`] if the database fails.
    pub async fn list_partner_sales(
        &self,
        partner: &str,
        days: (Option<Date>, Option<Date>),
        page: &Page<InvoiceCursor>,
    ) -> Result<(Vec<PartnerSale>, String), PaymentError> {
        let rows = partner_sales::of_partner(&self.pool, partner, days, page.after, page.size.limit()).await?;
        Ok(page.cut(rows, |sale| (sale.terms.check_out, sale.reservation_id.as_uuid())))
    }

    /// Decides the sale, or finds how it was decided. A sale is locked.
    pub(super) async fn record(
        &self,
        connection: &mut PgConnection,
        id: ReservationId,
        terms: &PartnerTerms,
        limited: bool,
    ) -> Result<Decision, PaymentError> {
        let split = Split::with_commission(terms.amount, terms.taxes, self.commission_basis_points);
        let split = split.ok_or_else(|| FieldError::new("terms.taxes.amount", "must not exceed the amount"))?;
        if let Some(known) = known(connection, id, terms).await? {
            return Ok(known);
        }
        let currency = terms.amount.currency();
        let credit = partner_credit::lock(connection, &terms.partner, currency, &self.default_credit).await?;
        // A concurrent request may have decided it while this one waited for the lock.
        if let Some(known) = known(connection, id, terms).await? {
            return Ok(known);
        }
        if limited && !credit.admits(terms.amount) {
            let refusal = CreditRefusal { asked: terms.amount, limit: credit.limit, used: credit.used };
            partner_credit::refuse(connection, id, &terms.partner, &refusal).await?;
            tracing::warn!(reservation_id = %id, partner = terms.partner, "partner sale refused by the credit limit");
            return Ok(Err(refusal));
        }
        let inserted = partner_sales::insert(connection, id, terms, split).await?;
        let sale = partner_sales::lock(connection, id).await?.ok_or(PaymentError::ReservationNotFound)?;
        if !inserted {
            return same(sale, terms).map(Ok);
        }
        ledger::post(connection, &sale.sold().partner_sale(&terms.partner)).await?;
        tracing::info!(reservation_id = %id, "partner sale recorded");
        Ok(Ok(sale))
    }
}

/// How the sale of a reservation was decided; `None` if it was not. A sale is locked.
async fn known(
    connection: &mut PgConnection,
    id: ReservationId,
    terms: &PartnerTerms,
) -> Result<Option<Decision>, PaymentError> {
    if let Some(sale) = partner_sales::lock(connection, id).await? {
        // A changed sale is compared with the terms that it began with.
        let first = match sale.revision {
            BOOKING => None,
            _ => partner_sale_changes::before(connection, &sale, None).await?,
        };
        return match first {
            Some(first) if first.terms != *terms => Err(PaymentError::SaleDiffers),
            Some(_) => Ok(Some(Ok(sale))),
            None => same(sale, terms).map(|sale| Some(Ok(sale))),
        };
    }
    Ok(partner_credit::refusal(connection, id).await?.map(Err))
}

/// The sale, if it was made on these terms.
fn same(sale: PartnerSale, terms: &PartnerTerms) -> Result<PartnerSale, PaymentError> {
    if sale.terms == *terms { Ok(sale) } else { Err(PaymentError::SaleDiffers) }
}

/// Credits a sale that is locked, unless it has been credited.
async fn credit(connection: &mut PgConnection, sale: PartnerSale, refund: Money) -> Result<PartnerSale, PaymentError> {
    let currency = sale.terms.amount.currency();
    if refund.currency() != currency {
        return Err(FieldError::new("refund.currency_code", format!("must be {}", currency.code())).into());
    }
    if sale.cancel_time.is_some() {
        return Ok(sale);
    }
    let credited = if refund.minor() > sale.terms.amount.minor() { sale.terms.amount } else { refund };
    let credit = sale.sold().refund(Money::zero(currency), credited);
    let credit = credit.ok_or_else(|| FieldError::new("refund.amount", "must not be negative"))?;
    if credited.minor() > 0 {
        ledger::post(connection, &credit.partner_credit(&sale.terms.partner)).await?;
    }
    tracing::info!(reservation_id = %sale.reservation_id, "partner sale cancelled");
    Ok(partner_sales::cancel(connection, sale.reservation_id, credited).await?)
}
