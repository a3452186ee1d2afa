//! Transfers to the hotels' connected accounts.
//!
//! Stripe keeps an idempotency key for 24 hours, and a transfer may be retried for longer. So its id is also the
//! `transfer_group`, and an existing transfer of the group is searched for first.

use reqwest::Method;
use serde::Deserialize;
use staymesh_domain::Money;
use tokio::time::Instant;
use uuid::Uuid;

use super::{
    StripePsp,
    amount::{from_stripe, to_stripe},
    object::Page,
    order::Field,
};
use crate::{PspError, TransferOrder, TransferOutcome, Transferred};

/// A transfer.
#[derive(Deserialize)]
pub(super) struct Transfer {
    pub(super) id: String,
    amount: i64,
    currency: String,
    pub(super) reversed: bool,
    #[serde(rename = "transfer_group")]
    group: Option<String>,
}

impl Transfer {
    pub(super) fn amount(&self) -> Option<Money> {
        from_stripe(self.amount, &self.currency)
    }

    /// The transfer id; `None` for a transfer that another system made in the same account.
    pub(super) fn transfer_id(&self) -> Option<Uuid> {
        self.group.as_deref()?.parse().ok()
    }
}

/// The form fields of a transfer, equal for every retry.
fn fields(order: &TransferOrder, amount: i64) -> Vec<Field> {
    vec![
        ("amount", amount.to_string()),
        ("currency", order.amount.currency().code().to_ascii_lowercase()),
        ("destination", order.destination.clone()),
        ("transfer_group", order.transfer_id.to_string()),
    ]
}

impl StripePsp {
    /// Makes the transfer, or finds it. A transfer that exists at Stripe has moved the money.
    pub(super) async fn make_transfer(&self, order: TransferOrder) -> Result<Transferred, PspError> {
        let fields = fields(&order, to_stripe(order.amount)?);
        let deadline = self.http.deadline();
        let id = order.transfer_id.to_string();
        let made = self.find_transfer(&id, deadline).await?;
        let transfer = if let Some(made) = made {
            made
        } else {
            let request = self.request(Method::POST, &["v1", "transfers"], deadline)?;
            self.call(request.header("idempotency-key", &id).form(&fields)).await?
        };
        if transfer.amount() != Some(order.amount) {
            return Err(PspError::Unknown("the transfer has another amount"));
        }
        let outcome = if transfer.reversed { TransferOutcome::Reversed } else { TransferOutcome::Paid };
        Ok(Transferred { psp_transfer: transfer.id, outcome })
    }

    async fn find_transfer(&self, group: &str, deadline: Instant) -> Result<Option<Transfer>, PspError> {
        let request = self.request(Method::GET, &["v1", "transfers"], deadline)?;
        let page: Page<Transfer> = self.call(request.query(&[("transfer_group", group), ("limit", "1")])).await?;
        Ok(page.data.into_iter().next())
    }
}
