//! Refunds as callers see them.

use staymesh_api::{
    payment::v1::{
        ListPaymentsRequest, PaymentStatus, RefundPaymentRequest, RefundReason, RefundStatus,
        payment_admin_service_server::PaymentAdminService,
    },
    r#type::v1::Money,
};
use staymesh_mesh::auth::Role;

use super::{by, payments};
use crate::{
    grpc::PaymentAdminHandler,
    model::Status,
    testing::{caller, complete_refund, database, in_status},
};

#[tokio::test]
async fn payment_lists_its_refunds_and_is_refunded_only_in_full() {
    let database = database().await;
    let pool = database.pool();
    let paid = in_status(pool, Status::Paid).await;
    let admin = PaymentAdminHandler(payments(pool));
    let caller_admin = caller("admin", Role::Admin, &[]);
    let ask = async |amount: &str, goodwill: bool| {
        let amount = Some(Money { currency_code: "EUR".into(), amount: amount.into() });
        let (payment_id, request_id) = (paid.payment_id.to_string(), uuid::Uuid::now_v7().to_string());
        let request = RefundPaymentRequest { payment_id, amount, request_id, goodwill };
        admin.refund_payment(by(&caller_admin, request)).await.unwrap().into_inner()
    };
    let listed = async |status: PaymentStatus| {
        let request =
            ListPaymentsRequest { hotel_id: 7, status: status.into(), page_size: 0, page_token: String::new() };
        admin.list_payments(by(&caller_admin, request)).await.unwrap().into_inner().payments
    };
    ask("10.00", false).await;
    let asked = ask("20.00", true).await;
    assert_eq!(asked.status(), PaymentStatus::Refunding);
    let newest_first: Vec<_> =
        asked.refunds.iter().map(|one| (one.amount.clone().unwrap().amount, one.goodwill)).collect();
    assert_eq!(newest_first, [("20.00".to_owned(), true), ("10.00".to_owned(), false)]);
    for refund in &asked.refunds {
        assert_eq!((refund.status(), refund.reason()), (RefundStatus::Requested, RefundReason::Requested));
        assert!(refund.create_time.is_some() && refund.succeed_time.is_none());
        complete_refund(pool, &paid, refund.refund_id.parse().unwrap()).await;
    }
    let part = listed(PaymentStatus::PartiallyRefunded).await;
    assert_eq!((part.len(), part[0].status()), (1, PaymentStatus::PartiallyRefunded));
    assert!(part[0].refunds.iter().all(|one| one.status() == RefundStatus::Succeeded && one.succeed_time.is_some()));
    assert_eq!(listed(PaymentStatus::Refunded).await, []);

    let rest = ask("70.00", false).await;
    complete_refund(pool, &paid, rest.refunds[0].refund_id.parse().unwrap()).await;
    let all = listed(PaymentStatus::Refunded).await;
    assert_eq!((all.len(), all[0].status(), all[0].refunds.len()), (1, PaymentStatus::Refunded, 3));
    assert_eq!(listed(PaymentStatus::PartiallyRefunded).await, []);
}
