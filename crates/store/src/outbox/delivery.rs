//! What a relay delivers, and the outcome of an attempt.

/// Outcome of one delivery attempt. Reasons are stored and logged, so they must not contain personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver has processed the event, in this attempt or in an earlier one.
    Done,
    /// The attempt failed; retry with backoff, up to [`super::RelayOptions::max_attempts`] attempts in total.
    Retry(String),
    /// The receiver is unavailable, which says nothing about the event: retry without limit. Does not count as an attempt.
    Unavailable(String),
    /// The receiver refused the event permanently: make it a dead letter.
    DeadLetter(String),
}

/// The kinds of events that a relay delivers. Two relays of one outbox with disjoint kinds do not delay each other: a slow
/// receiver of one occupies no place of the other. Events of one aggregate must then have kinds of the same relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kinds {
    /// All.
    #[default]
    All,
    /// Those that begin with this text.
    With(&'static str),
    /// Those that do not begin with this text.
    Without(&'static str),
}
