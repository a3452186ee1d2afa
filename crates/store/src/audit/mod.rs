//! Audit records: who changed what, written in the transaction of the change.
//!
//! The server sets the [`Origin`] of a request by staff, an administrator or a service as a task-local
//! ([`Origin::scope`]). A change of such a request is recorded in three steps, in its transaction:
//!
//! 1. [`ObjectType::before`] reads the object, which should be locked; [`ObjectType::created`] stands for one that does
//!    not exist yet.
//! 2. The change is made.
//! 3. [`Watched::record`] reads the object again and inserts the record, unless nothing changed: a repeated request writes
//!    no second record.
//!
//! Without an origin (guests and partners acting on their own data, background tasks) all three do nothing. Work that is
//! moved to another task takes the origin along: [`Origin::current`].
//!
//! A record of an update has the fields that differ, before and after it. What a record shows of an object is the SQL of its [`ObjectType`], which names the columns, so that personal data of
//! guests and secrets are left out.

mod list;
mod origin;
mod record;

pub use list::{AuditFilter, AuditKey, AuditRecord, list};
pub use origin::{ActorRole, Gateway, Origin};
pub use record::{ObjectType, Watched, insert, insert_many};

/// The definition of the table `audit_record`, for migrations and tests.
pub const SCHEMA: &str = include_str!("schema.sql");
