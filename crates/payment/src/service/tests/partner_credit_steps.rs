//! Any sequence of sales, cancellations, payments and limits of a partner, compared with a model.

use proptest::{prelude::*, test_runner::TestRunner};
use staymesh_domain::ReservationId;
use staymesh_ledger::wallets;
use uuid::Uuid;

use super::partner_credit::{euros_of, on, owed, payment, terms_of};
use crate::{
    model::{NewPartnerPayment, PartnerTerms},
    service::Payments,
    testing::{MockPsp, database, eur, reservation_id},
};

/// A step of a partner's business.
#[derive(Debug, Clone, Copy)]
enum Step {
    Sell(i64),
    /// Ends the sale at this place with this credit in per cent.
    Cancel(usize, i64),
    Pay(i64, bool),
    Limit(i64),
    Fold,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1..5_000i64).prop_map(Step::Sell),
        3 => (any::<usize>(), 0..=100i64).prop_map(|(at, percent)| Step::Cancel(at, percent)),
        3 => (1..6_000i64, any::<bool>()).prop_map(|(minor, keep)| Step::Pay(minor, keep)),
        1 => (0..15_000i64).prop_map(Step::Limit),
        1 => Just(Step::Fold),
    ];
    prop::collection::vec(step, 1..30)
}

/// Executes the steps. What is used always equals the postings and a sum kept here, and a sale is recorded exactly if it is
/// within the limit.
async fn execute(payments: &Payments<MockPsp>, partner: &str, steps: &[Step]) {
    let pool = &payments.pool;
    let (mut limit, mut used) = (10_000, 0);
    let mut sales: Vec<(ReservationId, PartnerTerms, bool)> = vec![];
    payments.set_credit_limit(partner, eur(limit), "").await.unwrap();
    for step in steps {
        match *step {
            Step::Sell(minor) => {
                let (id, terms) = (reservation_id(), terms_of(partner, eur(minor)));
                let recorded = payments.record_partner_sale(id, &terms, true).await;
                assert_eq!(recorded.is_ok(), used + minor <= limit, "{steps:?}");
                used += if recorded.is_ok() { minor } else { 0 };
                sales.push((id, terms, recorded.is_ok()));
            }
            Step::Cancel(at, percent) if !sales.is_empty() => {
                let at = at % sales.len();
                let (id, terms, owed) = &mut sales[at];
                let credit = terms.amount.minor() * percent / 100;
                payments.settle_partner_sale(*id, eur(credit), Some(terms)).await.unwrap();
                used -= if std::mem::take(owed) { credit } else { 0 };
            }
            Step::Cancel(..) => {}
            Step::Pay(minor, keep_credit) => {
                let new = NewPartnerPayment { partner: partner.into(), ..payment(minor, keep_credit) };
                let recorded = payments.record_partner_payment(&new).await;
                assert_eq!(recorded.is_ok(), keep_credit || minor <= used, "{steps:?}");
                used -= if recorded.is_ok() { minor } else { 0 };
            }
            Step::Limit(minor) => {
                limit = minor;
                payments.set_credit_limit(partner, eur(limit), "").await.unwrap();
            }
            Step::Fold => drop(wallets::fold(pool).await.unwrap()),
        }
        let credit = euros_of(payments, partner).await;
        assert_eq!((credit.limit, credit.used), (eur(limit), eur(used)), "{step:?} of {steps:?}");
        assert_eq!(owed(pool, partner).await, used, "{step:?} of {steps:?}");
    }
    // The penalty that stays and the credit are the sale, for the partner and for those who get a share of it.
    for (id, terms, _) in sales {
        let sums: (i64, i64, i64) = sqlx::query_as(
            "select coalesce((select amount_minor - credited_minor from partner_sale where reservation_id = $1), 0),
                 coalesce(sum(amount_minor) filter (where kind = 'PARTNER_RECEIVABLE'), 0)::bigint,
                 coalesce(-sum(amount_minor) filter (where kind <> 'PARTNER_RECEIVABLE'), 0)::bigint
             from (select transaction_id from ledger_transaction where reservation_id = $1) posted
             join ledger_entry using (transaction_id) join ledger_account using (account_id)",
        )
        .bind(id.as_uuid())
        .fetch_one(pool)
        .await
        .unwrap();
        assert!(sums.0 == sums.1 && sums.1 == sums.2 && sums.0 <= terms.amount.minor(), "{sums:?} of {steps:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn used_credit_is_the_sum_of_the_postings_after_any_steps() {
    let database = database().await;
    let payments = on(database.pool());
    let handle = tokio::runtime::Handle::current();
    let config =
        ProptestConfig { cases: 12, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() };
    tokio::task::block_in_place(|| {
        let checked = TestRunner::new(config).run(&steps(), |steps| {
            // Each case is a partner of its own, so that one database serves all.
            let partner = format!("client:{}", Uuid::now_v7());
            handle.block_on(execute(&payments, &partner, &steps));
            Ok(())
        });
        checked.unwrap();
    });
    let report = crate::check::run(database.pool(), &crate::check::Options::default(), |_| {}).await.unwrap();
    assert!(report.is_clean(), "{:?}", report.listed);
}
