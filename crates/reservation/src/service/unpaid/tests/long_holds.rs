//! Holds of a time that the partner chooses, within its agreement.

use super::*;

#[tokio::test]
async fn partner_with_an_agreement_holds_rooms_for_a_day_within_its_quota() {
    let world = world().await;
    let service = replica(&world, UnpaidLimits { partner: 6, ..NONE });
    let partner = caller("client:acme", Role::Partner);
    let long = async |caller: &Caller, want: Want| {
        let request = BookingRequest { hold: Some(SignedDuration::from_hours(24)), ..order(&service, caller, want) };
        service.create(caller, request, Timestamp::now()).await
    };
    let held = long(&partner, rooms(3)).await.expect("three of four room nights");
    let day = held.hold_expire_time.expect("a hold").duration_since(held.create_time);
    assert!((day - SignedDuration::from_hours(24)).abs() < SignedDuration::from_mins(1), "{day}");
    let Err(refused) = long(&partner, rooms(2)).await else { panic!("five of four") };
    assert_eq!(reason(Err::<(), _>(refused)), Reason::TooManyUnpaidRooms);
    book(&service, &partner, rooms(2)).await.expect("five of six, with the hold of everyone");
    for caller in [caller("client:tours", Role::Partner), ada()] {
        let refused = long(&caller, ONE).await;
        assert_eq!(reason(refused), Reason::AccessDenied);
    }
}

#[tokio::test]
async fn concurrent_long_holds_are_within_the_quota_exactly() {
    let world = world().await;
    let service = replica(&world, NONE);
    let partner = caller("client:acme", Role::Partner);
    let requests = (0..20).map(|_| {
        let request = BookingRequest { hold: Some(SignedDuration::from_hours(2)), ..order(&service, &partner, ONE) };
        service.create(&partner, request, Timestamp::now())
    });
    assert_eq!(join_all(requests).await.iter().filter(|made| made.is_ok()).count(), 4);
}
