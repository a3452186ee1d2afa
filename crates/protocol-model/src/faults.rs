//! Planted faults: the properties must find each, or they prove nothing.

/// A defect of what surrounds the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The provider does not recognise the repeat of a refund.
    RefundsAreRepeated,
    /// The provider opens a second page for the same payment.
    PagesAreRepeated,
    /// A late payment is confirmed without looking whether the room is left.
    LateConfirmIgnoresRooms,
    /// An outbox forgets an event whose delivery failed.
    OutboxForgets,
    /// A change that is given up does not release the rooms that it held.
    HeldRoomsStay,
    /// A change that is paid releases its old rooms twice.
    ChangeReleasesTwice,
    /// A payment that cannot be used is kept.
    UnusablePaymentIsKept,
    /// The settlement of a change is not recognised when it is repeated.
    SettlementIsRepeated,
    /// What the end of the reservation gives back does not limit an administrator's refunds.
    PolicyIsNoLimit,
    /// What changes gave back of a payment that is refused later is lost with it.
    RefusalForgetsChanges,
    /// The credit limit is not asked for a change of a partner's sale.
    CreditIsNoLimit,
    /// What was recorded for a change of a partner's sale that was given up is not undone.
    AmendmentIsNotUndone,
}
