-- First answers to requests with a request id. They are kept: a repeat may come at any time.
create table first_answer (
    -- Where the request id is unique: the `sub` of the caller's token.
    subject     text        not null,
    request_id  uuid        not null,
    -- SHA-256 of the method and the request.
    fingerprint bytea       not null,
    -- The encoded answer. Null only inside the transaction that makes it.
    answer      bytea,
    create_time timestamptz not null default now(),
    constraint first_answer_pkey primary key (subject, request_id),
    constraint first_answer_subject_length check (char_length(subject) between 1 and 200),
    constraint first_answer_fingerprint_length check (octet_length(fingerprint) = 32)
);
