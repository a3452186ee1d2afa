//! The lines of a settlement file: all movements of a time range, with the injected faults.

use std::ops::Range;

use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Store;
use crate::{
    error::Refusal,
    journal::Record,
    model::{Mismatch, Session, SessionStatus, SettlementFault, Transfer, TransferStatus},
};

/// Most injected faults.
const MAX_FAULTS: usize = 10_000;

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Line {
    /// Id of the paid session, the refund or the transfer.
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) reference: String,
    /// Empty for a transfer.
    pub(crate) session: String,
    /// Never negative; the kind gives the direction.
    pub(crate) amount_minor: i64,
    pub(crate) currency: String,
    /// Unix seconds.
    pub(crate) created: i64,
}

impl Store {
    /// The lines of a time range in Unix seconds, ordered by time and id.
    pub(crate) fn settlement(&self, time: &Range<i64>) -> Vec<Line> {
        let mut lines = Vec::new();
        for session in self.sessions.values() {
            let paid = session.status == SessionStatus::Paid;
            if paid || self.is_faulty(Mismatch::Status, &session.id) {
                self.add(charge(session), time, &mut lines);
            }
            for refund in &session.refunds {
                let line = Line {
                    id: refund.id.clone(),
                    kind: "refund",
                    reference: refund.order.reference.clone().unwrap_or_default(),
                    amount_minor: refund.order.amount_minor,
                    created: refund.created,
                    ..charge(session)
                };
                self.add(line, time, &mut lines);
            }
        }
        for transfer in self.transfers.values() {
            if transfer.status == TransferStatus::Paid || self.is_faulty(Mismatch::Status, &transfer.id) {
                self.add(transfer_line(transfer), time, &mut lines);
            }
        }
        lines.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        lines
    }

    /// Injects faults into settlement files: all, or none if one is invalid.
    ///
    /// # Errors
    /// When an id is unknown, a fault does not fit its status, or there are too many.
    pub(crate) fn add_settlement_faults(&mut self, faults: Vec<SettlementFault>) -> Result<(), Refusal> {
        for fault in &faults {
            self.check_fault(fault)?;
        }
        let fresh = faults.iter().filter(|fault| !self.settlement_faults.contains(fault)).count();
        if self.settlement_faults.len() + fresh > MAX_FAULTS {
            return Err(Refusal::FaultsFull);
        }
        for settlement_fault in faults {
            if !self.settlement_faults.contains(&settlement_fault) {
                self.save(Record::SettlementFault { settlement_fault })?;
            }
        }
        Ok(())
    }

    /// Removes all injected faults.
    ///
    /// # Errors
    /// When the state file cannot be written.
    pub(crate) fn clear_settlement_faults(&mut self) -> Result<(), Refusal> {
        for no_settlement_fault in self.settlement_faults.clone() {
            self.save(Record::NoSettlementFault { no_settlement_fault })?;
        }
        Ok(())
    }

    fn check_fault(&self, fault: &SettlementFault) -> Result<(), Refusal> {
        let moved = if let Some(session) = self.sessions.get(&fault.id) {
            session.status == SessionStatus::Paid
        } else if let Some(transfer) = self.transfers.get(&fault.id) {
            transfer.status == TransferStatus::Paid
        } else if self.sessions.values().any(|session| session.refunds.iter().any(|refund| refund.id == fault.id)) {
            true
        } else {
            return Err(Refusal::NotFound("session, refund or transfer"));
        };
        match (fault.kind, moved) {
            (Mismatch::Status, true) => {
                Err(Refusal::invalid("kind", "status is for a session or transfer that has moved no money"))
            }
            (Mismatch::Status, false) | (_, true) => Ok(()),
            (_, false) => Err(Refusal::invalid("id", "has moved no money, so it has no line; only status fits it")),
        }
    }

    fn is_faulty(&self, kind: Mismatch, id: &str) -> bool {
        // The set is empty nearly always.
        !self.settlement_faults.is_empty()
            && self.settlement_faults.contains(&SettlementFault { kind, id: id.to_owned() })
    }

    fn add(&self, mut line: Line, time: &Range<i64>, lines: &mut Vec<Line>) {
        if !time.contains(&line.created) {
            return;
        }
        if self.is_faulty(Mismatch::Extra, &line.id) {
            lines.push(invented(&line));
        }
        if self.is_faulty(Mismatch::Missing, &line.id) {
            return;
        }
        if self.is_faulty(Mismatch::Amount, &line.id) {
            line.amount_minor += 1;
        }
        if self.is_faulty(Mismatch::Currency, &line.id) {
            line.currency = String::from(if line.currency == "EUR" { "USD" } else { "EUR" });
        }
        if self.is_faulty(Mismatch::Duplicate, &line.id) {
            lines.push(line.clone());
        }
        lines.push(line);
    }
}

fn charge(session: &Session) -> Line {
    // State files of older versions have no time of payment.
    let fallback = if session.status == SessionStatus::Paid { session.created } else { session.updated };
    Line {
        id: session.id.clone(),
        kind: "charge",
        reference: session.order.reference.clone(),
        session: session.id.clone(),
        amount_minor: session.order.amount_minor,
        currency: session.order.currency.clone(),
        created: session.paid.unwrap_or(fallback),
    }
}

fn transfer_line(transfer: &Transfer) -> Line {
    Line {
        id: transfer.id.clone(),
        kind: "transfer",
        reference: transfer.order.reference.clone(),
        session: String::new(),
        amount_minor: transfer.order.amount_minor,
        currency: transfer.order.currency.clone(),
        created: transfer.created,
    }
}

/// A line of a movement that never happened: well-formed ids that exist nowhere else.
fn invented(like: &Line) -> Line {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(format!("extra {}", like.id))[..16]);
    let unused = Uuid::new_v8(bytes);
    let renamed = |id: &str| id.split_once('_').map(|(kind, _)| format!("{kind}_{}", unused.simple()));
    Line {
        id: renamed(&like.id).unwrap_or_default(),
        session: renamed(&like.session).unwrap_or_default(),
        reference: unused.to_string(),
        ..like.clone()
    }
}
