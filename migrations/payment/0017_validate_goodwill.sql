-- Every row satisfies these: the columns are new.
alter table refund validate constraint refund_goodwill_is_requested;
alter table payment_order validate constraint payment_order_refund_due_within_amount;
