use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use staymesh_api::hotel::v1::{
    self as proto, CreateHotelRequest, CreateRoomRequest, DeleteHotelRequest, DeleteRoomRequest, DeleteRoomTypeRequest,
    GetRoomRequest, GetRoomTypeRequest, hotel_admin_service_server::HotelAdminService,
    hotel_service_server::HotelService,
};
use staymesh_domain::{HotelId, RoomTypeId};
use staymesh_mesh::{Problem, Reason, auth::Role};
use staymesh_store::audit::{ActorRole, Gateway, Origin};
use tonic::Request;

use super::*;
use crate::{
    clients::reservation::MockReservationClient,
    store,
    testing::{Fixture, admin, by, fixture, fixture_with, hotel, reason, room, room_type, staff},
};

async fn count(fixture: &Fixture, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(fixture.database.pool()).await.unwrap()
}

/// A reservation service that refuses every retirement with this reason, and the number of its calls.
fn refusing(reason: Reason) -> (MockReservationClient, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let mut reservations = MockReservationClient::new();
    reservations.expect_retire_inventory().returning(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        Err(Problem::new(reason, "refused"))
    });
    (reservations, calls)
}

#[tokio::test]
async fn concurrent_updates_with_one_etag_let_exactly_one_win() {
    let fixture = fixture().await;
    let made = fixture.create_hotel(hotel()).await.unwrap();
    let updates = (0..20).map(|number| {
        let change = proto::Hotel { display_name: format!("Name {number}"), ..made.clone() };
        fixture.update_hotel(change, &["display_name"])
    });
    let (won, lost): (Vec<_>, Vec<_>) = join_all(updates).await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for refused in lost {
        assert_eq!(reason(&refused.unwrap_err()), Reason::EtagMismatch);
    }
    let now = fixture.get_hotel(made.hotel_id).await.unwrap();
    assert_eq!(now, won.into_iter().next().unwrap().unwrap());
}

#[tokio::test]
async fn concurrent_updates_of_different_fields_are_all_kept() {
    let fixture = fixture().await;
    let made = fixture.create_hotel(hotel()).await.unwrap();
    let base = proto::Hotel { etag: String::new(), ..made.clone() };
    let name = proto::Hotel { display_name: "New name".into(), ..base.clone() };
    let stars = proto::Hotel { star_rating: 5, ..base.clone() };
    let description = proto::Hotel { description: "New description".into(), ..base };
    let (a, b, c) = tokio::join!(
        fixture.update_hotel(name, &["display_name"]),
        fixture.update_hotel(stars, &["star_rating"]),
        fixture.update_hotel(description, &["description"]),
    );
    for done in [a, b, c] {
        done.unwrap();
    }
    let now = fixture.get_hotel(made.hotel_id).await.unwrap();
    assert_eq!((&*now.display_name, now.star_rating, &*now.description), ("New name", 5, "New description"));
}

#[tokio::test]
async fn create_hotel_retries_with_one_request_id_create_once_and_get_the_first_response() {
    let fixture = fixture().await;
    let id = uuid::Uuid::new_v4().to_string();
    let request = |hotel| CreateHotelRequest { hotel: Some(hotel), request_id: id.clone() };
    let creates = (0..50).map(|_| fixture.admin.create_hotel(admin(request(hotel()))));
    let answers: Vec<_> = join_all(creates).await.into_iter().map(|answer| answer.unwrap().into_inner()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(count(&fixture, "select count(*) from hotel").await, 1);

    // The first response is replayed even after an update of the hotel.
    fixture.update_hotel(proto::Hotel { star_rating: 1, ..answers[0].clone() }, &["star_rating"]).await.unwrap();
    let again = fixture.admin.create_hotel(admin(request(hotel()))).await.unwrap().into_inner();
    assert_eq!(again, answers[0]);

    let other = request(proto::Hotel { star_rating: 1, ..hotel() });
    let refused = fixture.admin.create_hotel(admin(other)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RequestIdReused);
    // Request ids are scoped to the caller.
    fixture.admin.create_hotel(by(Role::Service, &[], request(hotel()))).await.unwrap();
    assert_eq!(count(&fixture, "select count(*) from hotel").await, 2);
}

#[tokio::test]
async fn failed_create_releases_its_request_id() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let request_id = uuid::Uuid::new_v4().to_string();
    let create = |room_type_id| {
        let request =
            CreateRoomRequest { hotel_id, room: Some(room(room_type_id, "1")), request_id: request_id.clone() };
        fixture.admin.create_room(staff(&[hotel_id], request))
    };
    assert_eq!(reason(&create(77).await.unwrap_err()), Reason::RoomTypeNotFound);
    assert_eq!(count(&fixture, "select count(*) from create_request").await, 0);
    let room_type_id = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    create(room_type_id).await.unwrap();
}

#[tokio::test]
async fn delete_hotel_hides_its_room_types_and_rooms_and_is_idempotent() {
    let mut reservations = MockReservationClient::new();
    reservations.expect_retire_inventory().times(1).returning(|_, room_type_id| {
        assert_eq!(room_type_id, None);
        Ok(())
    });
    let fixture = fixture_with(reservations).await;
    let made = fixture.create_hotel(hotel()).await.unwrap();
    let hotel_id = made.hotel_id;
    let room_type_id = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    let room_id = fixture.create_room(hotel_id, room(room_type_id, "1")).await.unwrap().room_id;

    let delete = |etag: &str| fixture.admin.delete_hotel(admin(DeleteHotelRequest { hotel_id, etag: etag.into() }));
    assert_eq!(reason(&delete("stale").await.unwrap_err()), Reason::EtagMismatch);
    delete(&made.etag).await.unwrap();
    let deleted = "select extract(epoch from delete_time)::bigint from hotel";
    let when = count(&fixture, deleted).await;
    // A retry changes nothing and does not call the reservation service: the mock allows one call.
    delete(&made.etag).await.unwrap();
    assert_eq!(count(&fixture, deleted).await, when);
    assert_eq!(reason(&fixture.get_hotel(hotel_id).await.unwrap_err()), Reason::HotelNotFound);
    let request = GetRoomTypeRequest { hotel_id, room_type_id };
    let refused = fixture.hotels.get_room_type(Request::new(request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomTypeNotFound);
    let refused = fixture.hotels.get_room(Request::new(GetRoomRequest { hotel_id, room_id })).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomNotFound);
    let refused = fixture.create_room_type(hotel_id, room_type("Single")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::HotelNotFound);
    let refused = fixture.update_hotel(made, &[]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::HotelNotFound);
    let unknown = DeleteHotelRequest { hotel_id: 999, etag: String::new() };
    assert_eq!(reason(&fixture.admin.delete_hotel(admin(unknown)).await.unwrap_err()), Reason::HotelNotFound);
}

#[tokio::test]
async fn delete_is_refused_while_booked_or_reservation_service_unavailable() {
    for refusal in [Reason::HasFutureReservations, Reason::DependencyUnavailable] {
        let (reservations, calls) = refusing(refusal);
        let fixture = fixture_with(reservations).await;
        let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
        let room_type_id = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
        let request = DeleteHotelRequest { hotel_id, etag: String::new() };
        assert_eq!(reason(&fixture.admin.delete_hotel(admin(request)).await.unwrap_err()), refusal);
        let request = DeleteRoomTypeRequest { hotel_id, room_type_id, etag: String::new() };
        let refused = fixture.admin.delete_room_type(staff(&[hotel_id], request)).await.unwrap_err();
        assert_eq!(reason(&refused), refusal);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        fixture.get_hotel(hotel_id).await.unwrap();
        assert_eq!(count(&fixture, "select count(*) from room_type where live").await, 1);
    }
}

#[tokio::test]
async fn delete_room_type_with_rooms_is_refused_before_inventory_is_retired() {
    let mut reservations = MockReservationClient::new();
    reservations.expect_retire_inventory().times(1).returning(|_, _| Ok(()));
    let fixture = fixture_with(reservations).await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let room_type_id = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    let room_id = fixture.create_room(hotel_id, room(room_type_id, "1")).await.unwrap().room_id;
    let delete_type = || {
        let request = DeleteRoomTypeRequest { hotel_id, room_type_id, etag: String::new() };
        fixture.admin.delete_room_type(staff(&[hotel_id], request))
    };
    // The mock allows one call: the one after the room is deleted.
    assert_eq!(reason(&delete_type().await.unwrap_err()), Reason::RoomTypeHasRooms);
    for _ in 0..2 {
        let request = DeleteRoomRequest { hotel_id, room_id, etag: String::new() };
        fixture.admin.delete_room(staff(&[hotel_id], request)).await.unwrap();
    }
    delete_type().await.unwrap();
    delete_type().await.unwrap();
    let refused = fixture.create_room(hotel_id, room(room_type_id, "2")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomTypeNotFound);
    // The display name and the room number can be used again.
    let again = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    fixture.create_room(hotel_id, room(again, "1")).await.unwrap();
}

/// A room inserted between `has_rooms` and the delete.
#[tokio::test]
async fn delete_room_type_is_refused_by_foreign_key_if_a_room_was_added_meanwhile() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    let room_type_id = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    fixture.create_room(hotel_id, room(room_type_id, "1")).await.unwrap();
    let (hotel_id, room_type_id) = (HotelId::try_from(hotel_id).unwrap(), RoomTypeId::try_from(room_type_id).unwrap());
    let refused = store::room_type::delete(fixture.database.pool(), hotel_id, room_type_id).await.unwrap_err();
    assert!(matches!(refused, HotelError::RoomTypeHasRooms), "{refused}");
}

/// Whichever commits first, no live room is left in a deleted room type, and the other call gets the matching error.
#[tokio::test]
async fn concurrent_create_room_and_delete_room_type_leave_no_orphan() {
    let fixture = fixture().await;
    let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
    for round in 0..10 {
        let name = format!("Type {round}");
        let room_type_id = fixture.create_room_type(hotel_id, room_type(&name)).await.unwrap().room_type_id;
        let request = DeleteRoomTypeRequest { hotel_id, room_type_id, etag: String::new() };
        let number = format!("{round}");
        let (deleted, added) = tokio::join!(
            fixture.admin.delete_room_type(staff(&[hotel_id], request)),
            fixture.create_room(hotel_id, room(room_type_id, &number)),
        );
        match (deleted, added) {
            (Ok(_), Err(refused)) => assert_eq!(reason(&refused), Reason::RoomTypeNotFound),
            (Err(refused), Ok(_)) => assert_eq!(reason(&refused), Reason::RoomTypeHasRooms),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn concurrent_create_room_type_and_delete_hotel_leave_no_orphan() {
    let fixture = fixture().await;
    for _ in 0..10 {
        let hotel_id = fixture.create_hotel(hotel()).await.unwrap().hotel_id;
        let request = DeleteHotelRequest { hotel_id, etag: String::new() };
        let (deleted, added) = tokio::join!(
            fixture.admin.delete_hotel(admin(request)),
            fixture.create_room_type(hotel_id, room_type("Double")),
        );
        deleted.unwrap();
        if let Err(refused) = added {
            assert_eq!(reason(&refused), Reason::HotelNotFound);
        }
        assert_eq!(count(&fixture, "select count(*) from room_type where live").await, 0);
    }
}

#[tokio::test]
async fn every_change_by_staff_writes_one_audit_record() {
    let fixture = fixture().await;
    let origin = Origin {
        role: ActorRole::Admin,
        actor: "auditor".to_owned(),
        method: "test".to_owned(),
        request_id: "r".to_owned(),
        gateway: Gateway::Internal,
    };
    let changes = async {
        let request = CreateHotelRequest { hotel: Some(hotel()), request_id: uuid::Uuid::new_v4().to_string() };
        let made = fixture.admin.create_hotel(admin(request.clone())).await.unwrap().into_inner();
        // A repeat with the request id.
        fixture.admin.create_hotel(admin(request)).await.unwrap();
        let hotel_id = made.hotel_id;
        for _ in 0..2 {
            let renamed = proto::Hotel { display_name: "Renamed".into(), etag: String::new(), ..made.clone() };
            fixture.update_hotel(renamed, &["display_name"]).await.unwrap();
        }
        let kind = fixture.create_room_type(hotel_id, room_type("Double")).await.unwrap();
        let in_room = fixture.create_room(hotel_id, room(kind.room_type_id, "12")).await.unwrap();
        for _ in 0..2 {
            let request = DeleteRoomRequest { hotel_id, room_id: in_room.room_id, etag: String::new() };
            fixture.admin.delete_room(staff(&[hotel_id], request)).await.unwrap();
        }
        let request = DeleteRoomTypeRequest { hotel_id, room_type_id: kind.room_type_id, etag: String::new() };
        fixture.admin.delete_room_type(staff(&[hotel_id], request)).await.unwrap();
        fixture.admin.delete_hotel(admin(DeleteHotelRequest { hotel_id, etag: String::new() })).await.unwrap();
    };
    Origin::scope(Some(origin), changes).await;
    let seen: Vec<(String, bool, Option<String>)> = sqlx::query_as(
        "select object_type, before is null, after->>'deleted' from audit_record where actor = 'auditor' order by audit_id",
    )
    .fetch_all(fixture.database.pool())
    .await
    .unwrap();
    let expected = [
        ("hotel", true, Some("false")),
        ("hotel", false, None),
        ("room_type", true, Some("false")),
        ("room", true, Some("false")),
        ("room", false, Some("true")),
        ("room_type", false, Some("true")),
        ("hotel", false, Some("true")),
    ];
    let expected = expected.map(|(object, new, deleted)| (object.to_owned(), new, deleted.map(str::to_owned)));
    assert_eq!(seen, expected);
}
