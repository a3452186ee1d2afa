//! Changes of partners who collect: their credit decides.

use super::*;
use crate::service::changes::apply::undecided;

#[tokio::test]
async fn change_of_a_partner_is_applied_if_its_credit_allows_and_given_up_if_not() {
    let mut payments = MockPaymentClient::new();
    let mut answers = [Err(refused()), Ok(())].into_iter();
    payments.expect_amend_partner_sale().times(2).returning(move |sale| {
        assert_eq!(serde_json::to_value(&sale).expect("JSON")["terms"]["amount"], "517.00");
        answers.next().expect("two calls")
    });
    let (world, service) = service(payments).await;
    let partner = caller(Role::Partner, "client:agency");
    let booking = booked(&world, PaymentMode::PartnerCollects, "client:agency").await;
    for expected in [None, Some(3)] {
        let booking = world.store.get(booking.id).await.expect("reads").expect("a reservation");
        let form = quote(&service, &partner, &booking, &longer()).await;
        let applied =
            service.apply_change(&partner, booking.id, &form.token, Uuid::new_v4(), None, Timestamp::now()).await;
        match (applied, expected) {
            (Err(ReservationError::Other(problem)), None) => {
                assert_eq!(problem.reason(), Reason::PartnerCreditExceeded);
                let after = world.store.get(booking.id).await.expect("reads").expect("a reservation");
                assert_eq!((after.revision, after.stay, after.pending), (2, booking.stay, None));
            }
            (Ok(after), Some(revision)) => {
                assert_eq!((after.revision, after.quote.total), (revision, euros(51_700)));
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}

/// A partner who owes too much at first, and can pay for more later.
async fn short_of_credit() -> (World, BookingService) {
    let mut payments = MockPaymentClient::new();
    let mut answers = [Err(refused()), Ok(())].into_iter();
    payments.expect_amend_partner_sale().times(1..).returning(move |_| answers.next().expect("an answer"));
    service(payments).await
}

/// The refusal of a change.
fn refusal(applied: Result<Reservation, ReservationError>) -> (Reason, Option<String>) {
    let problem = Problem::from(applied.expect_err("refused"));
    let limit = problem.metadata().find(|(key, _)| *key == "limit").map(|(_, value)| value.to_owned());
    (problem.reason(), limit)
}

#[tokio::test]
async fn repeat_of_a_change_that_the_credit_refused_gets_the_same_refusal_whatever_happened_since() {
    let (world, service) = short_of_credit().await;
    let partner = caller(Role::Partner, "client:agency");
    let booking = booked(&world, PaymentMode::PartnerCollects, "client:agency").await;
    let (now, request_id) = (Timestamp::now(), Uuid::new_v4());
    let form = quote(&service, &partner, &booking, &longer()).await;
    let ask =
        async |request_id, now| service.apply_change(&partner, booking.id, &form.token, request_id, None, now).await;
    let first = refusal(ask(request_id, now).await);
    assert_eq!(first, (Reason::PartnerCreditExceeded, Some("300.00".to_owned())));
    assert_eq!(refusal(ask(request_id, now).await), first);

    // Another request is another change: the partner has paid meanwhile.
    let after = world.store.get(booking.id).await.expect("reads").expect("a reservation");
    let again = quote(&service, &partner, &after, &longer()).await;
    let applied = service.apply_change(&partner, booking.id, &again.token, Uuid::new_v4(), None, now).await;
    assert_eq!(applied.expect("applied").revision, 3);
    assert_eq!(refusal(ask(request_id, now).await), first);
    assert_eq!(refusal(ask(request_id, now + SignedDuration::from_hours(24)).await), first, "the quote has expired");
    let other = service.apply_change(&partner, booking.id, &again.token, request_id, None, now).await;
    assert_eq!(refusal(other).0, Reason::RequestIdReused, "the whole request is compared");
    assert_eq!(refusal(ask(Uuid::new_v4(), now).await).0, Reason::RevisionMismatch);
}

#[tokio::test]
async fn request_whose_change_the_relay_had_refused_gets_the_refusal() {
    let mut payments = MockPaymentClient::new();
    let mut answers = [Err(Status::unavailable("down")), Err(refused())].into_iter();
    payments.expect_amend_partner_sale().times(2).returning(move |_| answers.next().expect("an answer"));
    let (world, service) = service(payments).await;
    let partner = caller(Role::Partner, "client:agency");
    let booking = booked(&world, PaymentMode::PartnerCollects, "client:agency").await;
    let (now, request_id) = (Timestamp::now(), Uuid::new_v4());
    let form = quote(&service, &partner, &booking, &longer()).await;
    let waits = service.apply_change(&partner, booking.id, &form.token, request_id, None, now).await.expect("it waits");
    assert!(waits.pending.is_some());
    let sale = undecided(&waits).expect("terms").expect("a sale");
    service.decide_change(sale.clone(), now).await.expect("decided");
    service.decide_change(sale, now).await.expect("it does not wait any more");
    let repeat = service.apply_change(&partner, booking.id, &form.token, request_id, None, now).await;
    assert_eq!(refusal(repeat).0, Reason::PartnerCreditExceeded);
}

fn refused() -> Status {
    Problem::new(Reason::PartnerCreditExceeded, "over the limit").with("limit", "300.00").into()
}
