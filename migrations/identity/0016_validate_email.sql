-- Validates the constraints of the migration before.
alter table user_account validate constraint user_account_email_is_normal;
alter table user_account validate constraint user_account_checkout_email_is_normal;
