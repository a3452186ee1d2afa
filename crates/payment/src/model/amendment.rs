//! What messages about a change of a reservation do to the sale of a partner who collects. Pure: the service carries each
//! decision out in one transaction, and the model of the protocol (`crates/protocol-model`) explores them.
//!
//! Terms are those of the whole sale, so a late message of an earlier revision changes nothing.

use super::{ChangeSettlement, PartnerSale, PartnerTerms, SaleState};

/// Why a change of a sale is not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmendmentRefusal {
    /// It was recorded with other terms.
    Differs,
    /// The sale is cancelled, or a later change or the end of this one was recorded.
    Over,
}

/// Whether the change that makes `revision` is to be recorded with these terms; `false` if it was, and this is a repeat.
/// `recorded` is the sale after the change as it was recorded before, and `settled` says whether its end was.
///
/// # Errors
/// [`AmendmentRefusal`].
pub fn amends(
    sale: &PartnerSale,
    revision: i32,
    terms: &PartnerTerms,
    recorded: Option<&SaleState>,
    settled: bool,
) -> Result<bool, AmendmentRefusal> {
    if let Some(recorded) = recorded {
        return if recorded.terms == *terms { Ok(false) } else { Err(AmendmentRefusal::Differs) };
    }
    let is_over = sale.cancel_time.is_some() || sale.revision >= revision || settled;
    if is_over { Err(AmendmentRefusal::Over) } else { Ok(true) }
}

/// What the settlement of a change makes of the sale; `None` if it stays as it is. `before` is the sale before the change was
/// recorded, if it was, and `after` what it is with the terms of the settlement.
pub fn settled_sale(
    sale: &PartnerSale,
    change: &ChangeSettlement,
    before: Option<SaleState>,
    after: Option<SaleState>,
) -> Option<SaleState> {
    if sale.cancel_time.is_some() || sale.revision > change.revision {
        return None;
    }
    let wanted = if change.dropped { before } else { after };
    // As it was recorded before the change was applied.
    wanted.filter(|wanted| sale.revision != change.revision || wanted.terms != sale.terms)
}

/// Whether the latest change of the sale was applied, when the reservation ends with `terms`. `amended` says whether the
/// change was recorded before it was applied, and `settled` whether its end was.
pub fn was_applied(sale: &PartnerSale, terms: Option<&PartnerTerms>, amended: bool, settled: bool) -> bool {
    terms.is_none_or(|terms| *terms == sale.terms) || !amended || settled
}
