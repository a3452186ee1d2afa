-- Since when the provider takes its time to decide. Absent for a payment that it has decided at once, or not at all.
alter table payment_order add column in_review_since timestamptz;
