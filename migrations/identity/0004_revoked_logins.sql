-- no-transaction
-- The revoked logins whose access tokens may not have expired, which every service reads once a second.
create index concurrently login_revoked_idx on login (access_expires_at) where revoked_at is not null;
