//! Waivers: staff keep less of a cancellation or an early departure than its terms (PARTNER-SPEC 6, rule 13). Pure.

use staymesh_domain::{FieldError, Money};

/// What staff keep of a cancellation or an early departure instead of what its terms keep. The reason may name a guest: `Debug`
/// hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Waiver {
    /// What is kept, not negative and at most what the terms keep.
    pub keep: Money,
    /// Why; 1 to 200 characters.
    pub reason: String,
}

impl Waiver {
    /// What is kept where the terms keep `policy`.
    ///
    /// # Errors
    /// A violation of `waive.keep` if the terms keep less, or in another currency.
    pub(crate) fn kept_of(&self, policy: Money) -> Result<Money, FieldError> {
        if self.keep.currency() != policy.currency() {
            let text = format!("must be {}", policy.currency().code());
            return Err(FieldError::new("waive.keep.currency_code", text));
        }
        if self.keep.is_negative() || self.keep.minor() > policy.minor() {
            let text = format!("must be 0 to {}, what the terms keep", policy.amount());
            return Err(FieldError::new("waive.keep.amount", text));
        }
        Ok(self.keep)
    }
}

impl std::fmt::Debug for Waiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiver").field("keep", &self.keep).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
