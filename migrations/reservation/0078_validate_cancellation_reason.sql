-- Every row satisfies it: it allows more than before.
alter table reservation validate constraint reservation_cancellation_has_a_reason;
