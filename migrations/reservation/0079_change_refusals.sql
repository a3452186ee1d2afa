-- Why the credit of the partner who collects refused a change, as the payment service said it: a repeat of the request gets
-- the same answer. Written once, with the status. Null for a change that ended otherwise, or that the release before gave up.
alter table reservation_change add column refusal jsonb;
alter table reservation_change add constraint reservation_change_refusal_only_if_dropped check (
    refusal is null or status = 'dropped'
) not valid;
