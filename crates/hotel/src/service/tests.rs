use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures::future::join_all;
use staymesh_api::hotel::v1::{
    CreateHotelRequest, CreateRoomRequest, DeleteHotelRequest, DeleteRoomRequest, DeleteRoomTypeRequest,
    GetRoomRequest, GetRoomTypeRequest, hotel_admin_service_server::HotelAdminService,
    hotel_service_server::HotelService,
};
use staymesh_mesh::{Problem, Reason, auth::Role};
use tonic::Request;

use super::*;
use crate::{
    inventory::MockInventory,
    testing::{House, admin, by, hotel, house, house_with, reason, room, room_type, staff},
};

async fn count(house: &House, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(house.database.pool()).await.unwrap()
}

/// An inventory that answers every retirement with this reason, and counts them.
fn refusing(reason: Reason) -> (MockInventory, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let mut inventory = MockInventory::new();
    inventory.expect_retire().returning(move |_, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { Err(Problem::new(reason, "no")) })
    });
    (inventory, calls)
}

#[tokio::test]
async fn of_many_updates_with_one_etag_exactly_one_wins() {
    let house = house().await;
    let made = house.create_hotel(hotel()).await.unwrap();
    let updates = (0..20).map(|number| {
        let change = proto::Hotel { display_name: format!("Name {number}"), ..made.clone() };
        house.update_hotel(change, &["display_name"])
    });
    let (won, lost): (Vec<_>, Vec<_>) = join_all(updates).await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for refused in lost {
        assert_eq!(reason(&refused.unwrap_err()), Reason::EtagMismatch);
    }
    let now = house.get_hotel(made.hotel_id).await.unwrap();
    assert_eq!(now, won.into_iter().next().unwrap().unwrap());
}

#[tokio::test]
async fn updates_of_different_fields_do_not_undo_each_other() {
    let house = house().await;
    let made = house.create_hotel(hotel()).await.unwrap();
    let base = proto::Hotel { etag: String::new(), ..made.clone() };
    let name = proto::Hotel { display_name: "New name".into(), ..base.clone() };
    let stars = proto::Hotel { star_rating: 5, ..base.clone() };
    let words = proto::Hotel { description: "New words".into(), ..base };
    let (a, b, c) = tokio::join!(
        house.update_hotel(name, &["display_name"]),
        house.update_hotel(stars, &["star_rating"]),
        house.update_hotel(words, &["description"]),
    );
    for done in [a, b, c] {
        done.unwrap();
    }
    let now = house.get_hotel(made.hotel_id).await.unwrap();
    assert_eq!((&*now.display_name, now.star_rating, &*now.description), ("New name", 5, "New words"));
}

#[tokio::test]
async fn repeats_of_a_create_make_one_hotel_and_get_one_answer() {
    let house = house().await;
    let id = uuid::Uuid::new_v4().to_string();
    let request = |hotel| CreateHotelRequest { hotel: Some(hotel), request_id: id.clone() };
    let creates = (0..50).map(|_| house.admin.create_hotel(admin(request(hotel()))));
    let answers: Vec<_> =
        join_all(creates).await.into_iter().map(|answer| answer.unwrap().into_inner().hotel.unwrap()).collect();
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(count(&house, "select count(*) from hotel").await, 1);

    // The first answer stands, whatever has become of the hotel since.
    house.update_hotel(proto::Hotel { star_rating: 1, ..answers[0].clone() }, &["star_rating"]).await.unwrap();
    let again = house.admin.create_hotel(admin(request(hotel()))).await.unwrap().into_inner().hotel.unwrap();
    assert_eq!(again, answers[0]);

    let other = request(proto::Hotel { star_rating: 1, ..hotel() });
    let refused = house.admin.create_hotel(admin(other)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RequestIdReused);
    // A request id belongs to its caller.
    house.admin.create_hotel(by(Role::Service, &[], request(hotel()))).await.unwrap();
    assert_eq!(count(&house, "select count(*) from hotel").await, 2);
}

#[tokio::test]
async fn a_create_that_fails_leaves_its_request_id_free() {
    let house = house().await;
    let hotel_id = house.create_hotel(hotel()).await.unwrap().hotel_id;
    let request_id = uuid::Uuid::new_v4().to_string();
    let create = |room_type_id| {
        let request =
            CreateRoomRequest { hotel_id, room: Some(room(room_type_id, "1")), request_id: request_id.clone() };
        house.admin.create_room(staff(&[hotel_id], request))
    };
    assert_eq!(reason(&create(77).await.unwrap_err()), Reason::RoomTypeNotFound);
    assert_eq!(count(&house, "select count(*) from create_request").await, 0);
    let room_type_id = house.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    create(room_type_id).await.unwrap();
}

#[tokio::test]
async fn a_deleted_hotel_hides_all_that_is_in_it() {
    let mut inventory = MockInventory::new();
    inventory.expect_retire().times(1).returning(|_, room_type_id| {
        assert_eq!(room_type_id, None);
        Box::pin(async { Ok(()) })
    });
    let house = house_with(inventory).await;
    let made = house.create_hotel(hotel()).await.unwrap();
    let hotel_id = made.hotel_id;
    let room_type_id = house.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    let room_id = house.create_room(hotel_id, room(room_type_id, "1")).await.unwrap().room_id;

    let delete = |etag: &str| house.admin.delete_hotel(admin(DeleteHotelRequest { hotel_id, etag: etag.into() }));
    assert_eq!(reason(&delete("stale").await.unwrap_err()), Reason::EtagMismatch);
    delete(&made.etag).await.unwrap();
    let deleted = "select extract(epoch from delete_time)::bigint from hotel";
    let when = count(&house, deleted).await;
    // Again changes nothing, and does not ask the inventory: the mock allows one call.
    delete(&made.etag).await.unwrap();
    assert_eq!(count(&house, deleted).await, when);
    assert_eq!(reason(&house.get_hotel(hotel_id).await.unwrap_err()), Reason::HotelNotFound);
    let request = GetRoomTypeRequest { hotel_id, room_type_id };
    let refused = house.reads.get_room_type(Request::new(request)).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomTypeNotFound);
    let refused = house.reads.get_room(Request::new(GetRoomRequest { hotel_id, room_id })).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomNotFound);
    let refused = house.create_room_type(hotel_id, room_type("Single")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::HotelNotFound);
    let refused = house.update_hotel(made, &[]).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::HotelNotFound);
    let unknown = DeleteHotelRequest { hotel_id: 999, etag: String::new() };
    assert_eq!(reason(&house.admin.delete_hotel(admin(unknown)).await.unwrap_err()), Reason::HotelNotFound);
}

#[tokio::test]
async fn what_is_booked_or_cannot_be_asked_about_stays() {
    for refusal in [Reason::HasFutureReservations, Reason::DependencyUnavailable] {
        let (inventory, calls) = refusing(refusal);
        let house = house_with(inventory).await;
        let hotel_id = house.create_hotel(hotel()).await.unwrap().hotel_id;
        let room_type_id = house.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
        let request = DeleteHotelRequest { hotel_id, etag: String::new() };
        assert_eq!(reason(&house.admin.delete_hotel(admin(request)).await.unwrap_err()), refusal);
        let request = DeleteRoomTypeRequest { hotel_id, room_type_id, etag: String::new() };
        let refused = house.admin.delete_room_type(staff(&[hotel_id], request)).await.unwrap_err();
        assert_eq!(reason(&refused), refusal);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        house.get_hotel(hotel_id).await.unwrap();
        assert_eq!(count(&house, "select count(*) from room_type where live").await, 1);
    }
}

#[tokio::test]
async fn a_room_type_with_rooms_stays_on_sale() {
    let mut inventory = MockInventory::new();
    inventory.expect_retire().times(1).returning(|_, _| Box::pin(async { Ok(()) }));
    let house = house_with(inventory).await;
    let hotel_id = house.create_hotel(hotel()).await.unwrap().hotel_id;
    let room_type_id = house.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    let room_id = house.create_room(hotel_id, room(room_type_id, "1")).await.unwrap().room_id;
    let delete_type = || {
        let request = DeleteRoomTypeRequest { hotel_id, room_type_id, etag: String::new() };
        house.admin.delete_room_type(staff(&[hotel_id], request))
    };
    // The one call that the mock allows is the one after the room is gone.
    assert_eq!(reason(&delete_type().await.unwrap_err()), Reason::RoomTypeHasRooms);
    for _ in 0..2 {
        let request = DeleteRoomRequest { hotel_id, room_id, etag: String::new() };
        house.admin.delete_room(staff(&[hotel_id], request)).await.unwrap();
    }
    delete_type().await.unwrap();
    delete_type().await.unwrap();
    let refused = house.create_room(hotel_id, room(room_type_id, "2")).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::RoomTypeNotFound);
    // Its name and its room's number are free again.
    let again = house.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    house.create_room(hotel_id, room(again, "1")).await.unwrap();
}

/// Somebody adds a room between the look and the delete: the database still refuses.
#[tokio::test]
async fn a_room_that_comes_in_between_keeps_its_type() {
    let house = house().await;
    let hotel_id = house.create_hotel(hotel()).await.unwrap().hotel_id;
    let room_type_id = house.create_room_type(hotel_id, room_type("Double")).await.unwrap().room_type_id;
    house.create_room(hotel_id, room(room_type_id, "1")).await.unwrap();
    let refused = store::room_type::delete(house.database.pool(), hotel_id, room_type_id).await.unwrap_err();
    assert!(matches!(refused, HotelError::RoomTypeHasRooms), "{refused}");
}

/// Whoever is first, no room is ever left in a type that is gone, and nobody gets an unexpected answer.
#[tokio::test]
async fn rooms_and_deletes_race_without_orphans() {
    let house = house().await;
    let hotel_id = house.create_hotel(hotel()).await.unwrap().hotel_id;
    for round in 0..10 {
        let name = format!("Type {round}");
        let room_type_id = house.create_room_type(hotel_id, room_type(&name)).await.unwrap().room_type_id;
        let request = DeleteRoomTypeRequest { hotel_id, room_type_id, etag: String::new() };
        let number = format!("{round}");
        let (deleted, added) = tokio::join!(
            house.admin.delete_room_type(staff(&[hotel_id], request)),
            house.create_room(hotel_id, room(room_type_id, &number)),
        );
        match (deleted, added) {
            (Ok(_), Err(refused)) => assert_eq!(reason(&refused), Reason::RoomTypeNotFound),
            (Err(refused), Ok(_)) => assert_eq!(reason(&refused), Reason::RoomTypeHasRooms),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn adding_and_deleting_a_hotel_race_without_orphans() {
    let house = house().await;
    for _ in 0..10 {
        let hotel_id = house.create_hotel(hotel()).await.unwrap().hotel_id;
        let request = DeleteHotelRequest { hotel_id, etag: String::new() };
        let (deleted, added) = tokio::join!(
            house.admin.delete_hotel(admin(request)),
            house.create_room_type(hotel_id, room_type("Double")),
        );
        deleted.unwrap();
        if let Err(refused) = added {
            assert_eq!(reason(&refused), Reason::HotelNotFound);
        }
        assert_eq!(count(&house, "select count(*) from room_type where live").await, 0);
    }
}
