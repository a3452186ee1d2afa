-- Every row satisfies these: they allow more than before.
alter table ledger_account validate constraint ledger_account_kind_is_known;
alter table ledger_transaction validate constraint ledger_transaction_kind_is_known;
