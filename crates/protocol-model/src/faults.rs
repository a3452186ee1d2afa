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
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 4] =
        [Self::RefundsAreRepeated, Self::PagesAreRepeated, Self::LateConfirmIgnoresRooms, Self::OutboxForgets];
}
