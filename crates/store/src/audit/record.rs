//! Recording a change of an object.

use serde_json::{Map, Value};
use sqlx::PgConnection;

use super::Origin;

/// A type of objects whose changes are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectType {
    /// Its name in the records: `hotel`.
    pub name: &'static str,
    /// Yields one row with one `jsonb` column: the object with the id `$1` (text), or no row or null if there is none.
    /// Names its columns, without personal data of guests and without secrets.
    pub snapshot: &'static str,
}

impl ObjectType {
    /// Reads an object before its change.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn before(self, connection: &mut PgConnection, object_id: &impl ToString) -> sqlx::Result<Watched> {
        let mut watched = self.created(object_id);
        if let Some(change) = &mut watched.0 {
            change.before = self.read(connection, &change.object_id).await?;
        }
        Ok(watched)
    }

    /// An object that does not exist before the change.
    pub fn created(self, object_id: &impl ToString) -> Watched {
        Watched(Origin::current().map(|origin| Change {
            origin,
            object: self,
            object_id: object_id.to_string(),
            before: None,
        }))
    }

    async fn read(self, connection: &mut PgConnection, object_id: &str) -> sqlx::Result<Option<Value>> {
        let read = sqlx::query_scalar::<_, Option<Value>>(self.snapshot).bind(object_id);
        Ok(read.fetch_optional(connection).await?.flatten())
    }
}

/// An object that is about to change; nothing if the change is not to be recorded.
#[derive(Debug)]
#[must_use = "the change is recorded by `record`"]
pub struct Watched(Option<Change>);

#[derive(Debug)]
struct Change {
    origin: Origin,
    object: ObjectType,
    object_id: String,
    before: Option<Value>,
}

impl Watched {
    /// Records the change, if there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(self, connection: &mut PgConnection) -> sqlx::Result<()> {
        let Some(Change { origin, object, object_id, before }) = self.0 else { return Ok(()) };
        let after = object.read(connection, &object_id).await?;
        insert(connection, &origin, (object.name, &object_id), before.as_ref(), after.as_ref()).await
    }
}

/// Records a change of `(object_type, object_id)`, unless `before` and `after` are equal.
///
/// # Errors
/// When the database fails.
pub async fn insert(
    connection: &mut PgConnection,
    origin: &Origin,
    (object_type, object_id): (&str, &str),
    before: Option<&Value>,
    after: Option<&Value>,
) -> sqlx::Result<()> {
    if before == after {
        return Ok(());
    }
    let (before, after) = changed_fields(before, after);
    sqlx::query(
        "insert into audit_record (actor_role, actor, method, object_type, object_id, before, after, request_id, gateway)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(origin.role.as_str())
    .bind(&origin.actor)
    .bind(&origin.method)
    .bind(object_type)
    .bind(object_id)
    .bind(before)
    .bind(after)
    .bind(&origin.request_id)
    .bind(origin.gateway.as_str())
    .execute(connection)
    .await
    .map(drop)
}

/// Records what many objects of a type have become, each by its id, in one statement.
///
/// # Errors
/// When the database fails.
pub async fn insert_many(
    connection: &mut PgConnection,
    origin: &Origin,
    object_type: &str,
    after: &[(String, Value)],
) -> sqlx::Result<()> {
    let (ids, values): (Vec<&str>, Vec<&Value>) = after.iter().map(|(id, value)| (&**id, value)).unzip();
    sqlx::query(
        "insert into audit_record (actor_role, actor, method, object_type, object_id, after, request_id, gateway)
         select $1, $2, $3, $4, object_id, after, $7, $8
         from unnest($5::text[], $6::jsonb[]) with ordinality t (object_id, after, at) order by at",
    )
    .bind(origin.role.as_str())
    .bind(&origin.actor)
    .bind(&origin.method)
    .bind(object_type)
    .bind(ids)
    .bind(values)
    .bind(&origin.request_id)
    .bind(origin.gateway.as_str())
    .execute(connection)
    .await
    .map(drop)
}

/// The fields of an object that differ before and after its change; all of them if it was created or deleted.
fn changed_fields(before: Option<&Value>, after: Option<&Value>) -> (Option<Value>, Option<Value>) {
    let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) else {
        return (before.cloned(), after.cloned());
    };
    let differing = |of: &Map<String, Value>, other: &Map<String, Value>| {
        let fields = of.iter().filter(|(name, value)| other.get(*name) != Some(*value));
        Some(Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect()))
    };
    (differing(old, new), differing(new, old))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changed_fields_of_an_update_leave_out_equal_ones() {
        let (before, after) = (json!({"a": 1, "b": 2, "gone": 3}), json!({"a": 1, "b": 4, "new": 5}));
        let changed = changed_fields(Some(&before), Some(&after));
        assert_eq!(changed, (Some(json!({"b": 2, "gone": 3})), Some(json!({"b": 4, "new": 5}))));
    }

    #[test]
    fn changed_fields_of_a_new_object_are_all() {
        let after = json!({"a": 1});
        assert_eq!(changed_fields(None, Some(&after)), (None, Some(after.clone())));
    }
}
