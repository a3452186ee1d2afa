//! Which limits of unpaid holds a booking is subject to. The booking writer and the database apply them.
//!
//! What costs a caller nothing limits nothing, so there are three limits, each in what a hold takes from others:
//!
//! - room nights of an account: few until its e-mail address is confirmed, since accounts are free;
//! - room nights from a source address, over all accounts;
//! - a share of the rooms of each night, over all accounts and addresses.

use staymesh_mesh::{Caller, auth::Role};

use crate::model::{HoldLimits, PaymentMode, Reservation, Source};

/// The limits of unpaid holds. 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnpaidLimits {
    /// Most room nights (rooms times nights) of a guest whose e-mail address is not confirmed.
    pub unconfirmed: u32,
    /// Most room nights of a guest whose e-mail address is confirmed, and of hotel staff.
    pub guest: u32,
    /// Most room nights of a partner, for guests who pay and in sales that are not decided yet.
    pub partner: u32,
    /// Most room nights of all guests behind one source address.
    pub source: u32,
    /// Most of the rooms of a night, 1 to 100 percent.
    pub share: u8,
}

impl UnpaidLimits {
    /// No limit for any account.
    pub const fn unlimited() -> Self {
        Self { unconfirmed: 0, guest: 0, partner: 0, source: 0, share: 0 }
    }

    /// The limits of a booking by `caller` from `source`. Partners book for many guests from few addresses, so their
    /// source has no limit of its own. A partner who collects may sell the whole of a night: its credit is the limit of
    /// what it sells, and its holds last only until its sale is decided. Staff hold rooms of their own hotel.
    pub(super) fn of(self, caller: &Caller, source: Option<Source>, mode: PaymentMode) -> HoldLimits {
        if matches!(caller.role, Role::Staff | Role::Admin) {
            return HoldLimits::default();
        }
        let positive = |limit: u32| (limit > 0).then_some(i64::from(limit));
        let unconfirmed = caller.role == Role::Guest && !caller.email_verified;
        let account = match caller.role {
            Role::Partner => self.partner,
            _ if unconfirmed => self.unconfirmed,
            _ => self.guest,
        };
        let by_source = if caller.role == Role::Guest { positive(self.source) } else { None };
        HoldLimits {
            account: positive(account),
            unconfirmed,
            source: source.zip(by_source),
            share: (self.share > 0 && mode == PaymentMode::GuestPays).then_some(i32::from(self.share.min(100))),
        }
    }

    /// The limits of what a change of this reservation holds until it is paid. Staff who change it for its guest are not
    /// limited by what the guest holds.
    pub(super) fn of_change(self, caller: &Caller, source: Option<Source>, booking: &Reservation) -> HoldLimits {
        let limits = self.of(caller, source, booking.payment_mode);
        HoldLimits { account: limits.account.filter(|_| booking.owner == caller.subject), ..limits }
    }
}

#[cfg(test)]
mod tests;
