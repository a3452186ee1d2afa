-- Whether the provider, the ledger, the wallets and the reservations say the same of a day, and what to do where not.

-- The provider's settlement file of a day, as it was last read.
create table settlement_file (
    psp_day date        not null,
    -- How many lines it has.
    lines   bigint      not null,
    -- Read before the day was over.
    partial boolean     not null,
    read_at timestamptz not null default now(),
    constraint settlement_file_pkey primary key (psp_day),
    constraint settlement_file_lines_not_negative check (lines >= 0)
);

-- Its lines. Reading a day again replaces them.
create table settlement_line (
    psp_day      date        not null,
    -- Its place in the file, from 1.
    line         bigint      not null,
    psp_id       text        not null,
    kind         text        not null,
    -- Our id, as the provider repeats it; empty when somebody moved the money on the provider's own pages.
    reference    text        not null,
    -- The checkout; empty for a transfer.
    session      text        not null,
    amount_minor bigint      not null,
    currency     text        not null,
    created_at   timestamptz not null,
    -- The payment, refund or transfer that the line names by its session or its reference, be there one or not. Absent
    -- when it names none.
    source_id    uuid,
    constraint settlement_line_pkey primary key (psp_day, line),
    constraint settlement_line_file_fkey foreign key (psp_day) references settlement_file (psp_day) on delete cascade,
    constraint settlement_line_number_is_positive check (line > 0),
    constraint settlement_line_psp_id_is_short check (char_length(psp_id) between 1 and 200),
    constraint settlement_line_kind_is_known check (kind in ('CHARGE', 'REFUND', 'TRANSFER')),
    constraint settlement_line_reference_is_short check (char_length(reference) <= 200),
    constraint settlement_line_session_is_short check (char_length(session) <= 200),
    constraint settlement_line_amount_in_range check (amount_minor between 0 and 999999999999999),
    constraint settlement_line_currency_is_code check (currency ~ '^[A-Z]{3}$')
);
create index settlement_line_psp_id_idx on settlement_line (kind, psp_id);
create index settlement_line_source_idx on settlement_line (kind, source_id) where source_id is not null;

-- Each time that a day was gone through.
create table reconciliation_run (
    run_id     uuid        not null,
    day        date        not null,
    partial    boolean     not null,
    status     text        not null default 'RUNNING',
    -- Lines of the day's file; payments that were compared with their reservations.
    lines      bigint      not null default 0,
    payments   bigint      not null default 0,
    -- Differences found, cases that are new or open again, and cases whose cause is gone.
    found      bigint      not null default 0,
    opened     bigint      not null default 0,
    closed     bigint      not null default 0,
    -- Why it could not look. Absent unless it failed.
    failure    text,
    started_at timestamptz not null default clock_timestamp(),
    -- Absent while it runs, and for good when its process died.
    ended_at   timestamptz,
    constraint reconciliation_run_pkey primary key (run_id),
    constraint reconciliation_run_status_is_known check (status in ('RUNNING', 'DONE', 'FAILED')),
    constraint reconciliation_run_counts_not_negative check (least(lines, payments, found, opened, closed) >= 0),
    constraint reconciliation_run_failure_is_short check (char_length(failure) between 1 and 500),
    constraint reconciliation_run_failed_with_failure check ((status = 'FAILED') = (failure is not null)),
    constraint reconciliation_run_ended_at_some_time check ((status = 'RUNNING') = (ended_at is null))
);
create index reconciliation_run_day_idx on reconciliation_run (day, started_at desc);

-- A difference that somebody must look at. One for each class and subject: whoever finds it again finds this one.
create table reconciliation_case (
    case_id           uuid        not null,
    -- Of the file's line, or of the posting or change that there is no line for.
    day               date        not null,
    class             text        not null,
    subject_kind      text        not null,
    -- Our id where there is one, and otherwise the provider's.
    subject_id        text        not null,
    -- Each absent where there is none.
    psp_id            text,
    source_id         uuid,
    payment_id        uuid,
    reservation_id    uuid,
    -- What is written here, and what was found. Absent where there is no amount.
    expected_minor    bigint,
    expected_currency text,
    found_minor       bigint,
    found_currency    text,
    -- In words; no personal data.
    detail            text        not null,
    -- What can be done again to put it right. Absent when nothing can.
    replay            text,
    state             text        not null default 'OPEN',
    -- Who looks after it: the subject of a member of staff. Absent when nobody does.
    owner             text,
    note              text        not null default '',
    -- GONE: a later run did not find it any more. SETTLED: somebody said so.
    resolution        text,
    -- Counts its changes of state, for the etag.
    version           integer     not null default 1,
    created_at        timestamptz not null default now(),
    -- When it was last found.
    found_at          timestamptz not null default now(),
    changed_at        timestamptz not null default now(),
    replayed_at       timestamptz,
    constraint reconciliation_case_pkey primary key (case_id),
    constraint reconciliation_case_subject_key unique (class, subject_kind, subject_id),
    constraint reconciliation_case_class_is_known check (class in ('MISSING_AT_PSP', 'MISSING_HERE', 'AMOUNT', 'CURRENCY',
        'DUPLICATE', 'STATUS', 'WALLET', 'RESERVATION')),
    constraint reconciliation_case_subject_is_known
        check (subject_kind in ('CHARGE', 'REFUND', 'TRANSFER', 'WALLET', 'PAYMENT')),
    constraint reconciliation_case_subject_id_is_short check (char_length(subject_id) between 1 and 200),
    constraint reconciliation_case_psp_id_is_short check (char_length(psp_id) between 1 and 200),
    constraint reconciliation_case_expected_is_whole check ((expected_minor is null) = (expected_currency is null)),
    constraint reconciliation_case_found_is_whole check ((found_minor is null) = (found_currency is null)),
    constraint reconciliation_case_detail_is_short check (char_length(detail) <= 500),
    constraint reconciliation_case_replay_is_known check (replay in ('CHECKOUT', 'REFUND', 'TRANSFER', 'OUTBOX', 'WALLET')),
    constraint reconciliation_case_state_is_known check (state in ('OPEN', 'ASSIGNED', 'RESOLVED')),
    constraint reconciliation_case_owner_is_short check (char_length(owner) between 1 and 200),
    constraint reconciliation_case_note_is_short check (char_length(note) <= 2000),
    constraint reconciliation_case_resolution_is_known check (resolution in ('GONE', 'SETTLED')),
    constraint reconciliation_case_assigned_to_somebody check (state <> 'ASSIGNED' or owner is not null),
    constraint reconciliation_case_open_has_no_owner check (state <> 'OPEN' or owner is null),
    constraint reconciliation_case_resolved_somehow check ((state = 'RESOLVED') = (resolution is not null))
);
-- What is to be done.
create index reconciliation_case_open_idx on reconciliation_case (case_id) where state <> 'RESOLVED';
create index reconciliation_case_day_idx on reconciliation_case (day, case_id);

create function reconciliation_case_guard() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' then
        raise exception 'cases are not forgotten'
            using errcode = 'check_violation', constraint = 'reconciliation_case_is_kept';
    end if;
    if tg_op = 'INSERT' then
        if new.state <> 'OPEN' then
            raise exception 'a case begins open'
                using errcode = 'check_violation', constraint = 'reconciliation_case_legal_transition';
        end if;
        return new;
    end if;
    if (new.case_id, new.class, new.subject_kind, new.subject_id, new.created_at)
        is distinct from (old.case_id, old.class, old.subject_kind, old.subject_id, old.created_at) then
        raise exception 'what a case is about does not change'
            using errcode = 'check_violation', constraint = 'reconciliation_case_is_kept';
    end if;
    -- What somebody has settled stays settled; what was gone may come back.
    if (new.state, new.owner, new.resolution, new.note) is distinct from (old.state, old.owner, old.resolution, old.note)
    then
        if old.state = 'RESOLVED' and not (new.state = 'OPEN' and old.resolution = 'GONE') then
            raise exception 'illegal transition'
                using errcode = 'check_violation', constraint = 'reconciliation_case_legal_transition';
        end if;
        new.version := old.version + 1;
        new.changed_at := now();
    end if;
    return new;
end
$$;
create trigger reconciliation_case_legal_transition before insert or update or delete on reconciliation_case
    for each row execute function reconciliation_case_guard();
