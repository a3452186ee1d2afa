-- Money that moves at the provider for a reason that is booked nowhere here, such as a dispute: people must look at it.

-- What the provider calls it; empty for charges, refunds and transfers.
alter table settlement_line add column note text not null default '';

-- Both rules are wider than those they replace, so what is there satisfies them.
alter table settlement_line drop constraint settlement_line_kind_is_known;
alter table settlement_line
    add constraint settlement_line_kind_is_known check (kind in ('CHARGE', 'REFUND', 'TRANSFER', 'OTHER')) not valid,
    add constraint settlement_line_note_is_short check (char_length(note) <= 400) not valid;
alter table reconciliation_case drop constraint reconciliation_case_subject_is_known;
alter table reconciliation_case
    add constraint reconciliation_case_subject_is_known
        check (subject_kind in ('CHARGE', 'REFUND', 'TRANSFER', 'WALLET', 'PAYMENT', 'OTHER')) not valid;
