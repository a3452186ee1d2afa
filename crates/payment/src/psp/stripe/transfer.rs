//! Paying hotels: transfers to their connected accounts.
//!
//! An idempotency key is kept for a day, and an order may be tried for longer. So each carries its id as the group of
//! its transfer, and one that was made is looked for first.

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
use crate::psp::{PspError, TransferOrder, TransferWord, Transferred};

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

    /// Ours; none for a transfer that somebody else made in the same account.
    pub(super) fn transfer_id(&self) -> Option<Uuid> {
        self.group.as_deref()?.parse().ok()
    }
}

/// The same for each repeat.
fn fields(order: &TransferOrder, amount: i64) -> Vec<Field> {
    vec![
        ("amount", amount.to_string()),
        ("currency", order.amount.currency().code().to_ascii_lowercase()),
        ("destination", order.destination.clone()),
        ("transfer_group", order.transfer_id.to_string()),
    ]
}

impl StripePsp {
    /// Moves the money, or finds that it was moved. A transfer that Stripe has made has moved it.
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
            return Err(PspError::Unknown("a transfer of another amount"));
        }
        let word = if transfer.reversed { TransferWord::CameBack } else { TransferWord::Paid };
        Ok(Transferred { psp_transfer: transfer.id, word })
    }

    async fn find_transfer(&self, group: &str, deadline: Instant) -> Result<Option<Transfer>, PspError> {
        let request = self.request(Method::GET, &["v1", "transfers"], deadline)?;
        let page: Page<Transfer> = self.call(request.query(&[("transfer_group", group), ("limit", "1")])).await?;
        Ok(page.data.into_iter().next())
    }
}
