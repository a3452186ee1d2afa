-- Validates the constraint of the migration before.
alter table user_account validate constraint user_account_email_is_normal;
