//! Waivers: staff keep less of a cancelled reservation than its policy (PARTNER-SPEC 6, rule 13). Pure.

use staymesh_domain::{FieldError, Money};

use crate::{error::ReservationError, model::Reservation};

/// What staff keep of a cancelled reservation instead of the penalty of its policy. The reason may name a guest: `Debug` hides
/// it.
#[derive(Clone, PartialEq, Eq)]
pub struct Waiver {
    /// What is kept, not negative and at most what the policy keeps.
    pub keep: Money,
    /// Why; 1 to 200 characters.
    pub reason: String,
}

impl Waiver {
    /// What is refunded of a paid reservation of which the policy refunds `by_policy`.
    ///
    /// # Errors
    /// A violation of `waive.keep` if the policy keeps less, or in another currency.
    pub(super) fn refund(&self, booking: &Reservation, by_policy: Money) -> Result<Money, ReservationError> {
        let total = booking.quote.total;
        if self.keep.currency() != total.currency() {
            let text = format!("must be {}", total.currency().code());
            return Err(FieldError::new("waive.keep.currency_code", text).into());
        }
        let policy = total.checked_sub(by_policy)?;
        if self.keep.is_negative() || self.keep.minor() > policy.minor() {
            let text = format!("must be 0 to {}, what the cancellation policy keeps", policy.amount());
            return Err(FieldError::new("waive.keep.amount", text).into());
        }
        Ok(total.checked_sub(self.keep)?)
    }
}

impl std::fmt::Debug for Waiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiver").field("keep", &self.keep).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
