-- Every row satisfies these: the columns are new, and the kinds are more than before.
alter table payment_order validate constraint payment_order_revision_is_positive;
alter table refund validate constraint refund_of_change_is_requested;
alter table ledger_transaction validate constraint ledger_transaction_kind_is_known;
