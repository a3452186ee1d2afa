//! The lookup of an account's id, as SQL.

/// A subquery for the id of the account `$account.kind`, `.hotel_id`, `.partner` in the currency `$currency`; no row if the
/// account does not exist. Each branch is one index lookup (`is not distinct from` cannot use the index), and the two
/// branches that do not fit the owner are not executed.
macro_rules! account_id {
    ($account:literal, $currency:literal) => {
        concat!(
            "(select account_id from ledger_account
              where ",
            $account,
            ".hotel_id is null and ",
            $account,
            ".partner is null
                  and kind = ",
            $account,
            ".kind and hotel_id is null and partner is null and currency = ",
            $currency,
            "
              union all
              select account_id from ledger_account
              where kind = ",
            $account,
            ".kind and hotel_id = ",
            $account,
            ".hotel_id and partner is null
                  and currency = ",
            $currency,
            "
              union all
              select account_id from ledger_account
              where kind = ",
            $account,
            ".kind and hotel_id is null and partner = ",
            $account,
            ".partner
                  and currency = ",
            $currency,
            ")"
        )
    };
}
pub(super) use account_id;
