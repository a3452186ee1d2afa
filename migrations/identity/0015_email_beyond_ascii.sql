-- Addresses may have letters outside ASCII in their local part (RFC 6531). Their normal form, which is what
-- user_account_email_key compares, is in small letters and composed (NFC), with the domain in ASCII. Every address of
-- before is in this form already: ASCII in small letters. Valid at once for new rows; the next migration validates.
alter table user_account drop constraint user_account_email_is_normal;
alter table user_account add constraint user_account_email_is_normal check (
    email = lower(email collate "und-x-icu") and email is nfc normalized and char_length(email) between 3 and 254
    and email ~ '^[^[:space:][:cntrl:]@]+@[a-z0-9.-]+$'
) not valid;
-- The same for guests without an account.
alter table user_account drop constraint user_account_checkout_email_is_normal;
alter table user_account add constraint user_account_checkout_email_is_normal check (
    checkout_email is null
    or (checkout_email = lower(checkout_email collate "und-x-icu") and checkout_email is nfc normalized
        and char_length(checkout_email) between 3 and 254 and checkout_email ~ '^[^[:space:][:cntrl:]@]+@[a-z0-9.-]+$')
) not valid;
