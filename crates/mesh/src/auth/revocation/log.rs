//! The revocation log: a Redis stream of the sessions that ended within 65 minutes, in the order of their publication.
//!
//! Redis may lose its content. Beside the stream is the id of its generation, which identity sets together with every
//! revocation that its database has. Without an id the log is incomplete; with another one than before, it is read from
//! its start.

use redis::{FromRedisValue, Pipeline};
use uuid::Uuid;

use super::set::REMEMBERED;
use crate::redis::{Redis, RedisUnavailable};

const STREAM: &str = "identity:revocations";
const GENERATION: &str = "identity:revocations:generation";
/// Entries of one read.
const BATCH: usize = 1000;
/// Name of the field that holds the session.
const FIELD: &str = "s";

/// A position in the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    generation: Option<String>,
    /// Id of the last entry read; empty before the first.
    last: String,
}

/// The entries after a cursor.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) sessions: Vec<String>,
    /// Whether the log is complete up to its end, which was read.
    pub(super) complete: bool,
}

/// The log in this Redis.
#[derive(Clone)]
pub(super) struct Log(pub(super) Redis);

impl Log {
    /// Reads up to 1,000 entries after the cursor, and advances it.
    pub(super) async fn read(&self, cursor: &mut Cursor) -> Result<Read, RedisUnavailable> {
        let after = if cursor.last.is_empty() { "-".to_owned() } else { format!("({}", cursor.last) };
        let (generation, entries): (Option<String>, Vec<(String, Vec<String>)>) = self
            .query(
                redis::pipe()
                    .atomic()
                    .get(GENERATION)
                    .cmd("XRANGE")
                    .arg(STREAM)
                    .arg(after)
                    .arg("+")
                    .arg("COUNT")
                    .arg(BATCH),
            )
            .await?;
        if generation != cursor.generation {
            // What was read before may be another log: the next read begins at its start.
            *cursor = Cursor { generation, last: String::new() };
            return Ok(Read { sessions: Vec::new(), complete: false });
        }
        let at_end = entries.len() < BATCH;
        if let Some((last, _)) = entries.last() {
            cursor.last.clone_from(last);
        }
        let sessions = entries.into_iter().filter_map(|(_, fields)| fields.into_iter().nth(1)).collect();
        Ok(Read { sessions, complete: at_end && cursor.generation.is_some() })
    }

    /// The id of the log's generation; `None` if Redis has lost it.
    pub(super) async fn generation(&self) -> Result<Option<String>, RedisUnavailable> {
        let (generation,) = self.query(redis::pipe().get(GENERATION)).await?;
        Ok(generation)
    }

    /// Appends sessions.
    pub(super) async fn append(&self, sessions: &[String]) -> Result<(), RedisUnavailable> {
        let mut pipe = appending(sessions);
        self.query::<()>(&mut pipe).await
    }

    /// Begins a generation with these sessions, all that are revoked.
    pub(super) async fn begin(&self, sessions: &[String]) -> Result<(), RedisUnavailable> {
        let mut pipe = appending(sessions);
        pipe.set(GENERATION, Uuid::new_v4().simple().to_string()).ignore();
        self.query::<()>(&mut pipe).await
    }

    async fn query<T: FromRedisValue>(&self, pipe: &mut Pipeline) -> Result<T, RedisUnavailable> {
        let pipe = &*pipe;
        self.0.run(async |connection| pipe.query_async(connection).await).await
    }
}

/// One transaction that appends the sessions, and drops entries whose tokens have expired.
fn appending(sessions: &[String]) -> Pipeline {
    let mut pipe = redis::pipe();
    pipe.atomic();
    let oldest = jiff::Timestamp::now().as_millisecond().saturating_sub_unsigned(REMEMBERED.as_secs() * 1000);
    for session in sessions {
        pipe.cmd("XADD").arg(STREAM).arg("MINID").arg("~").arg(oldest).arg("*").arg(FIELD).arg(session).ignore();
    }
    pipe
}
