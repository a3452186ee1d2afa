-- no-transaction
-- Guest checkouts, oldest first: those whose last access has expired are purged.
create index concurrently user_account_checkout_idx on user_account (created_at) where checkout_email is not null;
