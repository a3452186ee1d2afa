//! What partners have sold and collect the money for: they owe it, and when the booking is cancelled they are credited
//! what its policy gives back. No money moves here.

use jiff::civil::Date;
use sqlx::PgConnection;
use staymesh_domain::{FieldError, Money, Page, ReservationId};
use staymesh_ledger::{self as ledger, Split};
use staymesh_psp::Psp;
use uuid::Uuid;

use super::Payments;
use crate::{
    error::PaymentError,
    fault_points,
    model::{PartnerSale, PartnerTerms},
    reservations::Reservations,
    store::partner_sales,
};

/// After which line of an invoice a page goes on.
pub type InvoicePlace = (Date, Uuid);

impl<R: Reservations, P: Psp> Payments<R, P> {
    /// Records what a partner owes for a reservation, once.
    ///
    /// # Errors
    /// [`PaymentError::SaleDiffers`] when it was recorded with other terms.
    pub async fn record_partner_sale(
        &self,
        id: ReservationId,
        terms: &PartnerTerms,
    ) -> Result<PartnerSale, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let sale = self.record(&mut transaction, id, terms).await?;
        fault_points::PARTNER_SALE_RECORDED.before();
        transaction.commit().await?;
        fault_points::PARTNER_SALE_RECORDED.after();
        Ok(sale)
    }

    /// The reservation has ended: credits the partner what the policy gives, once, and never more than the sale. Records
    /// the sale first if that has not been done and its terms are given. None when no partner collects.
    ///
    /// # Errors
    /// As [`Self::record_partner_sale`], and when `refund` is in another currency.
    pub async fn settle_partner_sale(
        &self,
        id: ReservationId,
        refund: Money,
        terms: Option<&PartnerTerms>,
    ) -> Result<Option<PartnerSale>, PaymentError> {
        let mut transaction = self.pool.begin().await?;
        let sale = match terms {
            Some(terms) => Some(self.record(&mut transaction, id, terms).await?),
            None => partner_sales::lock(&mut transaction, id).await?,
        };
        let Some(sale) = sale else { return Ok(None) };
        let sale = credit(&mut transaction, sale, refund).await?;
        fault_points::PARTNER_SALE_SETTLED.before();
        transaction.commit().await?;
        fault_points::PARTNER_SALE_SETTLED.after();
        Ok(Some(sale))
    }

    /// A page of a partner's invoice: by day of leaving, in the days from the first and before the last, if they are
    /// given; and the token of the next.
    pub async fn list_partner_sales(
        &self,
        partner: &str,
        days: (Option<Date>, Option<Date>),
        page: &Page<InvoicePlace>,
    ) -> Result<(Vec<PartnerSale>, String), PaymentError> {
        let rows = partner_sales::of_partner(&self.pool, partner, days, page.after, page.size.limit()).await?;
        Ok(page.cut(rows, |sale| (sale.terms.check_out, sale.reservation_id.as_uuid())))
    }

    /// The sale, recorded now or before, and locked.
    async fn record(
        &self,
        connection: &mut PgConnection,
        id: ReservationId,
        terms: &PartnerTerms,
    ) -> Result<PartnerSale, PaymentError> {
        let split = Split::with_commission(terms.amount, terms.taxes, self.commission_basis_points);
        let split = split.ok_or_else(|| FieldError::new("terms.taxes.amount", "must be in the amount"))?;
        let new = partner_sales::insert(connection, id, terms, split).await?;
        let sale = partner_sales::lock(connection, id).await?.ok_or(PaymentError::ReservationNotFound)?;
        if new {
            ledger::post(connection, &sale.sold().partner_sale(&terms.partner)).await?;
            tracing::info!(reservation_id = %id, "a partner's sale is recorded");
        } else if sale.terms != *terms {
            return Err(PaymentError::SaleDiffers);
        }
        Ok(sale)
    }
}

/// What is to be credited is decided once; a repeat finds it.
async fn credit(connection: &mut PgConnection, sale: PartnerSale, refund: Money) -> Result<PartnerSale, PaymentError> {
    let currency = sale.terms.amount.currency();
    if refund.currency() != currency {
        return Err(FieldError::new("refund.currency_code", format!("must be {}", currency.code())).into());
    }
    if sale.cancelled_at.is_some() {
        return Ok(sale);
    }
    let credited = if refund.minor() < sale.terms.amount.minor() { refund } else { sale.terms.amount };
    let back = sale.sold().refund(Money::zero(currency), credited);
    let back = back.ok_or_else(|| FieldError::new("refund.amount", "must not be negative"))?;
    if credited.minor() > 0 {
        ledger::post(connection, &back.partner_credit(&sale.terms.partner)).await?;
    }
    tracing::info!(reservation_id = %sale.reservation_id, "a partner's sale is cancelled");
    Ok(partner_sales::cancel(connection, sale.reservation_id, credited.minor()).await?)
}
