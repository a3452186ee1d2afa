-- Audit records: who changed what, written in the transaction of the change. Append-only. They hold no personal data of
-- guests: `before` and `after` have the fields of the object without names, addresses and secrets.
create table audit_record (
    audit_id    bigint      generated always as identity,
    create_time timestamptz not null default now(),
    -- Who: the role of the caller, and the `sub` of its token.
    actor_role  text        not null,
    actor       text        not null,
    -- Which method: package.Service/Method.
    method      text        not null,
    object_type text        not null,
    object_id   text        not null,
    -- The object before and after the change; null before it was created and after it was deleted.
    before      jsonb,
    after       jsonb,
    request_id  text        not null,
    -- The gateway that took the request: public, internal, or mesh for a call between services.
    gateway     text        not null,
    constraint audit_record_pkey primary key (audit_id),
    constraint audit_record_actor_role_known check (actor_role in ('admin', 'staff', 'service')),
    constraint audit_record_actor_length check (char_length(actor) between 1 and 200),
    constraint audit_record_method_length check (char_length(method) between 1 and 200),
    constraint audit_record_object_type_length check (char_length(object_type) between 1 and 50),
    constraint audit_record_object_id_length check (char_length(object_id) between 1 and 200),
    constraint audit_record_request_id_length check (char_length(request_id) <= 200),
    constraint audit_record_gateway_known check (gateway in ('public', 'internal', 'mesh')),
    constraint audit_record_is_a_change check (before is distinct from after)
);
create index audit_record_time_idx on audit_record (create_time, audit_id);
create index audit_record_object_idx on audit_record (object_type, object_id, create_time, audit_id);
create index audit_record_actor_idx on audit_record (actor, create_time, audit_id);

create function audit_record_is_append_only() returns trigger language plpgsql as $$
begin
    raise exception 'audit records are never changed or deleted'
        using errcode = 'check_violation', constraint = 'audit_record_is_append_only', table = 'audit_record';
end
$$;
create trigger audit_record_is_append_only before update or delete or truncate on audit_record
    for each statement execute function audit_record_is_append_only();
