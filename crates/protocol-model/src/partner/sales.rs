//! The payment service: its transactions on the sale of the booking and on the partner's credit. The decisions are those of
//! [`staymesh_payment::model`].

use std::{
    collections::BTreeMap,
    hash::{Hash, Hasher},
};

use anyhow::{Context, Result, bail, ensure};
use jiff::Timestamp;
use staymesh_domain::{Money, ReservationId};
use staymesh_ledger::Split;
use staymesh_payment::model::{
    AmendmentRefusal, BOOKING, ChangeSettlement, CreditLimit, PartnerSale, PartnerTerms, SaleState, amends,
    settled_sale, was_applied,
};
use staymesh_reservation::protocol::{SaleTerms, Settlement};

use crate::clock::{self, euros};

/// The most that the partner may owe, in cents: the booking with its change, but not beside its other bookings.
pub(super) const LIMIT: i64 = 30_000;
/// What the partner owes for other bookings at first, in cents: the booking is refused beside them.
const OTHERS: i64 = 12_000;
/// What it owes for those that it makes later, in cents: the change is refused beside them.
const LATER: i64 = 8_000;

/// When a change of a sale was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    Amended,
    Settled,
}

/// What the payment service has of the partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sales {
    sale: Option<PartnerSale>,
    /// Whether the sale was refused.
    pub(super) refused: bool,
    /// The sale before and after each recorded change.
    changes: BTreeMap<(i32, Stage), (SaleState, SaleState)>,
    /// The changes that are settled.
    settled: BTreeMap<i32, ChangeSettlement>,
    /// What the ledger says that the partner owes for this booking, in cents.
    pub(super) owed: i64,
    /// What it owes for others, in cents.
    pub(super) others: i64,
    /// Whether it made others later.
    more_others: bool,
}

impl Hash for Sales {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let sale = self.sale.as_ref().map(|sale| (sale.revision, sale.terms.amount, sale.cancel_time));
        (sale, self.refused, self.owed, self.others, self.more_others).hash(state);
        self.changes.keys().for_each(|key| key.hash(state));
        self.settled.keys().for_each(|key| key.hash(state));
    }
}

/// How the credit decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    Recorded,
    /// The limit refuses it.
    Refused,
    /// The change is over.
    Over,
}

impl Default for Sales {
    fn default() -> Self {
        let (sale, refused, changes, settled) = (None, false, BTreeMap::new(), BTreeMap::new());
        Self { sale, refused, changes, settled, owed: 0, others: OTHERS, more_others: false }
    }
}

fn terms_of(terms: SaleTerms) -> PartnerTerms {
    let SaleTerms { amount, taxes, check_out } = terms;
    PartnerTerms { partner: "client:1".to_owned(), amount, taxes, check_out }
}

fn state_of(terms: PartnerTerms) -> Result<SaleState> {
    let split = Split::with_commission(terms.amount, terms.taxes, 1_500).context("a split")?;
    Ok(SaleState { terms, split })
}

impl Sales {
    /// The partner makes other bookings, once and within its limit.
    pub(super) fn book_others(&mut self) -> Result<bool> {
        let books = self.others == 0 && !self.more_others && self.admits(euros(LATER)?)?;
        if books {
            (self.others, self.more_others) = (LATER, true);
        }
        Ok(books)
    }

    fn admits(&self, more: Money) -> Result<bool> {
        let (partner, limit, used) = ("client:1".to_owned(), euros(LIMIT)?, euros(self.owed + self.others)?);
        Ok(CreditLimit { partner, limit, used, is_default: false, version: 1 }.admits(more))
    }

    /// Records the sale, if it is within the limit or not `limited`. Both decisions are final.
    pub(super) fn record(&mut self, id: ReservationId, terms: SaleTerms, limited: bool) -> Result<Decision> {
        let SaleState { terms, split } = state_of(terms_of(terms))?;
        if let Some(sale) = &self.sale {
            let first = match sale.revision {
                BOOKING => None,
                _ => self.changes.first_key_value().map(|(_, (before, _))| &before.terms),
            };
            ensure!(*first.unwrap_or(&sale.terms) == terms, "the sale differs");
            return Ok(Decision::Recorded);
        }
        if self.refused || limited && !self.admits(terms.amount)? {
            self.refused = true;
            return Ok(Decision::Refused);
        }
        self.owed += terms.amount.minor();
        let credited = Money::zero(terms.amount.currency());
        let create_time = clock::booked();
        self.sale = Some(PartnerSale {
            reservation_id: id,
            revision: BOOKING,
            terms,
            split,
            credited,
            create_time,
            cancel_time: None,
        });
        Ok(Decision::Recorded)
    }

    /// Changes the sale before a change of the booking is applied. `unlimited`: the limit is not asked.
    pub(super) fn amend(&mut self, revision: i32, terms: SaleTerms, unlimited: bool) -> Result<Decision> {
        let after = state_of(terms_of(terms))?;
        let sale = self.sale.as_ref().context("a sale")?;
        let recorded = self.changes.get(&(revision, Stage::Amended)).map(|(_, after)| after);
        match amends(sale, revision, &after.terms, recorded, self.settled.contains_key(&revision)) {
            Ok(true) => {}
            Ok(false) => return Ok(Decision::Recorded),
            Err(AmendmentRefusal::Over) => return Ok(Decision::Over),
            Err(AmendmentRefusal::Differs) => bail!("the change differs"),
        }
        let more = after.terms.amount.checked_sub(sale.terms.amount)?;
        if more.minor() > 0 && !unlimited && !self.admits(more)? {
            return Ok(Decision::Refused);
        }
        self.change(revision, Stage::Amended, after)?;
        Ok(Decision::Recorded)
    }

    fn change(&mut self, revision: i32, stage: Stage, after: SaleState) -> Result<()> {
        let sale = self.sale.as_mut().context("a sale")?;
        self.owed += after.terms.amount.minor() - sale.terms.amount.minor();
        let before = SaleState { terms: sale.terms.clone(), split: sale.split };
        (sale.revision, sale.terms, sale.split) = (revision, after.terms.clone(), after.split);
        self.changes.insert((revision, stage), (before, after));
        Ok(())
    }

    /// The sale before the change of this revision was recorded.
    fn before(&self, revision: i32) -> Option<SaleState> {
        let recorded = self.changes.range((revision, Stage::Amended)..=(revision, Stage::Settled)).next();
        recorded.map(|(_, (before, _))| before.clone())
    }

    /// Settles a change that was applied or given up, once for its revision. `forgetful`: what was recorded for one that was
    /// given up is not undone.
    pub(super) fn settle_change(&mut self, change: ChangeSettlement, forgetful: bool) -> Result<()> {
        if let Some(known) = self.settled.get(&change.revision) {
            ensure!(*known == change, "a repeated settlement differs");
            return Ok(());
        }
        let sale = self.sale.as_ref().context("a sale")?;
        let (before, after) = match &change.sale {
            _ if change.dropped => (self.before(change.revision).filter(|_| !forgetful), None),
            Some(terms) => (None, Some(state_of(terms.clone())?)),
            None => (None, None),
        };
        if let Some(after) = settled_sale(sale, &change, before, after) {
            self.change(change.revision, Stage::Settled, after)?;
        }
        self.settled.insert(change.revision, change);
        Ok(())
    }

    /// Credits the partner what the end of the booking gives back, once.
    pub(super) fn settle_end(&mut self, id: ReservationId, end: Settlement, now: Timestamp) -> Result<()> {
        let terms = end.sale.map(terms_of);
        match &self.sale {
            Some(sale) if sale.revision > BOOKING => {
                let revision = sale.revision;
                let amended = self.changes.contains_key(&(revision, Stage::Amended));
                let settled = self.settled.contains_key(&revision);
                let applied = was_applied(sale, terms.as_ref(), amended, settled) || sale.cancel_time.is_some();
                if let Some(before) = self.before(revision).filter(|_| !applied) {
                    self.change(revision, Stage::Settled, before)?;
                }
            }
            _ => {
                if let Some(terms) = end.sale {
                    self.record(id, terms, false)?;
                }
            }
        }
        let Some(sale) = self.sale.as_mut().filter(|sale| sale.cancel_time.is_none()) else { return Ok(()) };
        let credited = if end.refund.minor() > sale.terms.amount.minor() { sale.terms.amount } else { end.refund };
        (sale.cancel_time, sale.credited) = (Some(now), credited);
        self.owed -= credited.minor();
        Ok(())
    }
}

/// The settlement of a change as the payment service gets it.
pub(super) fn settlement(revision: i32, refund: Money, dropped: bool, sale: Option<SaleTerms>) -> ChangeSettlement {
    ChangeSettlement { revision, refund, sale: sale.map(terms_of), dropped }
}
