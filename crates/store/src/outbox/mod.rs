//! The transactional outbox: at-least-once delivery of events to other services, in order per aggregate.
//!
//! An event is written in the same transaction as the change it reports ([`enqueue`]), so neither exists without the
//! other (the [transactional outbox](https://microservices.io/patterns/data/transactional-outbox.html) pattern). A
//! [`Relay`] in each replica delivers events to their receiver:
//!
//! - **At least once.** A relay claims an event with a lease. No lock or transaction is open while the receiver is called.
//!   If the relay or the receiver crashes, the lease expires and the event is delivered again. Receivers are idempotent.
//! - **In order per aggregate.** An event is not claimed while an earlier one of its aggregate is undelivered. Events of
//!   different aggregates are independent. The order is that of `event_id`, which is the order of commits as long as
//!   writers of one aggregate hold a lock on it, as every change of a reservation or payment does.
//! - **Bounded attempts.** After a permanent refusal, or too many attempts, an event becomes a dead letter. It no longer
//!   blocks its aggregate and is delivered only after an operator [replays](replay) it. An outage of the receiver makes no
//!   dead letters, however long it lasts: see [`Delivery::Unavailable`].
//!
//! Dead letters are the one exception from the order: later events of the aggregate overtake them. A replayed dead letter
//! is again the first undelivered event of its aggregate; later events wait for it, and replayed events keep their order
//! among themselves. Receivers must accept an event that arrives after later ones, as their own contract describes.
//!
//! The table is in the database of the service that writes the events; its migration copies [`SCHEMA`].

mod backoff;
mod claim;
mod delivery;
mod event;
mod operate;
mod relay;

pub use delivery::{Delivery, Kinds};
pub use event::{NewEvent, OutboxEvent, enqueue, enqueue_all};
pub use operate::{
    DeadLetter, DeadLetterFilter, OutboxStats, dead_letters, existing, has_outbox, purge_delivered, replay, stats,
    visit_dead_letters,
};
pub use relay::{Deliver, Relay, RelayOptions, Wake};

/// The outbox table with its constraints and indexes, as every service's migration has it.
pub const SCHEMA: &str = include_str!("schema.sql");
