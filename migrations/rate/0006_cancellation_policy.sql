-- The cancellation policy as tiers of deadlines and penalties. free_until_hours_before and late_penalty_percent stay for
-- the release before, which reads and writes only them: a policy counts only if its version is that of its row, so a rate
-- that the release before has set since has the policy that its two numbers say. So have the rates that exist already.
alter table room_rate
    add column cancellation_policy         jsonb,
    add column cancellation_policy_version bigint,
    add constraint room_rate_cancellation_policy_versioned
        check ((cancellation_policy is null) = (cancellation_policy_version is null)) not valid,
    add constraint room_rate_cancellation_policy_size check (pg_column_size(cancellation_policy) <= 16384) not valid;
