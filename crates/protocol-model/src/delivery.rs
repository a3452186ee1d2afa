//! How messages are delivered, and how the opening of a page ends.

/// How the delivery of a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver handles it, and the sender learns so.
    Done,
    /// The receiver handles it, and the sender stops or waits in vain: it delivers again.
    AnswerLost,
    /// The receiver stops in the middle.
    Interrupted,
    /// The sender gives up; the message arrives later. It delivers again.
    Late,
}

/// How the opening of a page ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The guest gets the page.
    Shown,
    /// The service stops after it saved the order.
    OrderSaved,
    /// The service stops after the provider opened the page.
    PageOpened,
}

impl Delivery {
    /// Of a message whose receiver has one transaction.
    pub(crate) const OF_ONE: [Self; 3] = [Self::Done, Self::AnswerLost, Self::Late];
    /// Of a message whose receiver calls the provider, too.
    pub(crate) const OF_MANY: [Self; 4] = [Self::Done, Self::AnswerLost, Self::Interrupted, Self::Late];

    /// Those that can happen: all if one more fault may come, or else the first, which is [`Self::Done`].
    pub(crate) fn possible(all: &[Self], faulty: bool) -> impl Iterator<Item = Self> {
        let count = if faulty { all.len() } else { 1 };
        all.iter().copied().take(count)
    }
}

impl Opening {
    pub(crate) const ALL: [Self; 3] = [Self::Shown, Self::OrderSaved, Self::PageOpened];

    /// Those that can happen: all if one more fault may come, or else the first, which is [`Self::Shown`].
    pub(crate) fn possible(faulty: bool) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().take(if faulty { Self::ALL.len() } else { 1 })
    }
}
