-- Every row satisfies these: the columns are new, and the kinds are more than before.
alter table payment_order validate constraint payment_order_method_is_known;
alter table payment_order validate constraint payment_order_desk_reference_is_short;
alter table payment_order validate constraint payment_order_recorded_by_is_short;
alter table payment_order validate constraint payment_order_desk_has_no_page;
alter table refund validate constraint refund_given_reference_is_short;
alter table refund validate constraint refund_given_by_is_short;
alter table refund validate constraint refund_is_given_by_desk_or_provider;
alter table ledger_account validate constraint ledger_account_kind_is_known;
alter table ledger_account validate constraint ledger_account_owner_fits_kind;
