//! Audit records at the boundary of a service: the origin of a request, and the list that administrators read.

use prost_types::{ListValue, Struct, Value, value::Kind};
use serde_json::Value as Json;
use sqlx::PgPool;
use staymesh_api::{
    audit::v1 as proto,
    options::v1::{Gateway as Entered, Role},
};
use staymesh_domain::{FieldErrors, Page};
use staymesh_store::audit::{self, ActorRole, AuditFilter, AuditKey, AuditRecord, Gateway, Origin};

use crate::{
    auth::Caller,
    context::RequestContext,
    errors::Problem,
    proto_types::{optional_time, timestamp},
};

/// Longest filter, in characters.
const MAX_FILTER: usize = 200;

/// The origin of a request to the gRPC path; `None` for callers whose changes are not recorded, because they act on their
/// own data.
pub(crate) fn origin(caller: &Caller, path: &str, entered: Entered) -> Option<Origin> {
    let role = match caller.role {
        Role::Admin => ActorRole::Admin,
        Role::Staff => ActorRole::Staff,
        Role::Service => ActorRole::Service,
        Role::Guest | Role::Partner | Role::Unspecified => return None,
    };
    Some(Origin {
        role,
        actor: caller.subject.clone(),
        method: path.trim_start_matches('/').to_owned(),
        request_id: RequestContext::current().map_or_else(String::new, |context| context.request_id.to_string()),
        gateway: match entered {
            Entered::Internal => Gateway::Internal,
            Entered::Mesh => Gateway::Mesh,
            Entered::Public | Entered::Unspecified => Gateway::Public,
        },
    })
}

/// A request for audit records, which has the same fields in every service's contract.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    /// Type of the object; empty for all.
    pub object_type: String,
    /// Id of the object; empty for all.
    pub object_id: String,
    /// The caller who made the change; empty for all.
    pub actor: String,
    /// Earliest time.
    pub from_time: Option<prost_types::Timestamp>,
    /// Time after the last.
    pub until_time: Option<prost_types::Timestamp>,
    /// See AIP-158.
    pub page_size: i32,
    /// See AIP-158.
    pub page_token: String,
}

/// Copies the fields of a service's `ListAuditRecordsRequest` into an [`AuditQuery`].
#[macro_export]
macro_rules! audit_query {
    ($request:expr) => {{
        let request = $request;
        $crate::audit::AuditQuery {
            object_type: request.object_type,
            object_id: request.object_id,
            actor: request.actor,
            from_time: request.from_time,
            until_time: request.until_time,
            page_size: request.page_size,
            page_token: request.page_token,
        }
    }};
}

/// A page of the audit records of a service, newest first, and the token of the next page.
///
/// # Errors
/// `INVALID_FIELD` naming every invalid field, and when the database is unavailable.
pub async fn list(pool: &PgPool, query: AuditQuery) -> Result<(Vec<proto::AuditRecord>, String), Problem> {
    let (filter, page) = parse(query)?;
    let records = audit::list(pool, &filter, page.after, page.size.limit()).await?;
    let (records, next_page_token) = page.cut(records, |record| (record.create_time, record.audit_id));
    Ok((records.into_iter().map(message).collect(), next_page_token))
}

fn parse(query: AuditQuery) -> Result<(AuditFilter, Page<AuditKey>), Problem> {
    let mut errors = FieldErrors::default();
    for (field, text) in [("object_type", &query.object_type), ("object_id", &query.object_id), ("actor", &query.actor)]
    {
        let fits = text.chars().count() <= MAX_FILTER && !text.contains('\0');
        errors.holds(fits, field, format!("must have at most {MAX_FILTER} characters, without NUL"));
    }
    let from_time = errors.value(optional_time(query.from_time, "from_time")).flatten();
    let until_time = errors.value(optional_time(query.until_time, "until_time")).flatten();
    let bounds = [from_time, until_time].map(|time| time.map_or_else(String::new, |time| time.to_string()));
    let filters = ["audit", &query.object_type, &query.object_id, &query.actor, &bounds[0], &bounds[1]];
    let page = Page::collect(&mut errors, query.page_size, &query.page_token, &filters);
    match page {
        Some(page) if errors.is_empty() => {
            let AuditQuery { object_type, object_id, actor, .. } = query;
            Ok((AuditFilter { object_type, object_id, actor, from_time, until_time }, page))
        }
        _ => Err(errors.into()),
    }
}

fn message(record: AuditRecord) -> proto::AuditRecord {
    proto::AuditRecord {
        audit_id: record.audit_id.to_string(),
        create_time: Some(timestamp(record.create_time)),
        actor_role: record.actor_role,
        actor: record.actor,
        method: record.method,
        object_type: record.object_type,
        object_id: record.object_id,
        before: record.before.and_then(object),
        after: record.after.and_then(object),
        request_id: record.request_id,
        gateway: record.gateway,
    }
}

/// A JSON object as `google.protobuf.Struct`; `None` for another value.
fn object(json: Json) -> Option<Struct> {
    match value(json).kind {
        Some(Kind::StructValue(object)) => Some(object),
        _ => None,
    }
}

fn value(json: Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(flag) => Kind::BoolValue(flag),
        // A number that a double cannot hold stays exact as text.
        Json::Number(number) => match number.as_f64() {
            Some(double) => Kind::NumberValue(double),
            None => Kind::StringValue(number.to_string()),
        },
        Json::String(text) => Kind::StringValue(text),
        Json::Array(items) => Kind::ListValue(ListValue { values: items.into_iter().map(value).collect() }),
        Json::Object(fields) => {
            Kind::StructValue(Struct { fields: fields.into_iter().map(|(name, field)| (name, value(field))).collect() })
        }
    };
    Value { kind: Some(kind) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn origin_is_of_staff_admins_and_services_only() {
        let caller = |role| Caller {
            subject: "an-account".into(),
            role,
            hotel_ids: Vec::new(),
            email_verified: false,
            session: "s".into(),
        };
        let of = |role| origin(&caller(role), "/staymesh.x.v1.X/Do", Entered::Internal);
        let admin = of(Role::Admin).expect("is recorded");
        assert_eq!((admin.role, &*admin.actor, &*admin.method), (ActorRole::Admin, "an-account", "staymesh.x.v1.X/Do"));
        assert_eq!(admin.gateway, Gateway::Internal);
        assert!(of(Role::Staff).is_some() && of(Role::Service).is_some());
        assert_eq!((of(Role::Guest), of(Role::Partner)), (None, None));
        let direct = origin(&caller(Role::Service), "/m", Entered::Mesh).expect("is recorded");
        assert_eq!(direct.gateway, Gateway::Mesh);
    }

    #[test]
    fn object_keeps_nested_values_and_refuses_other_json() {
        let kept = object(json!({"rooms": [1, null, {"open": true}], "name": "A"})).expect("is an object");
        assert_eq!(kept.fields.len(), 2);
        assert_eq!(object(json!([1])), None);
    }

    #[test]
    fn parse_names_every_invalid_filter() {
        let query = AuditQuery { object_id: "x\0".into(), actor: "a".repeat(201), page_size: -1, ..Default::default() };
        let problem = format!("{:?}", parse(query).expect_err("is invalid"));
        for field in ["object_id", "actor", "page_size"] {
            assert!(problem.contains(field), "{problem}");
        }
    }
}
