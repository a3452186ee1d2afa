//! `staymesh job list-dead-letters` and `replay-dead-letters` on the outbox of a mesh that runs.

use std::{fs, time::Duration};

use serde_json::json;
use staymesh_devenv::wait::wait_until;
use uuid::Uuid;

use crate::support::{Stay, World, database, eventually};

/// Timeout that only detects a hang.
const LIMIT: Duration = Duration::from_mins(1);

/// Runs the job. Returns whether it succeeded, and the lines it printed.
pub(super) fn job(world: &World<'_>, service: &str, args: &[&str]) -> (bool, Vec<String>) {
    let log = world.mesh.local().logs().join(format!("letters-{}.log", Uuid::new_v4().simple()));
    let launch = world.mesh.local().job(service, args).expect("a command").log(&log);
    let mut process = launch.spawn().expect("it starts");
    let status = wait_until("the job is done", LIMIT, || process.exit_status()).expect("an end");
    let printed = fs::read_to_string(&log).expect("a log");
    (status.success(), printed.lines().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_and_delivered_by_replay() {
    let world = World::shared().await;
    let (partner, hotel) = (world.partner().await, world.hotel(5).await);
    let mut order = world.prepare(&partner, hotel, &Stay::ahead(30, 2), 1).await;
    order["payment_mode"] = json!("PAYMENT_MODE_PARTNER_COLLECTS");
    partner.post("/v1/reservations", order.clone()).await.ok();
    let id = order["reservation_id"].as_str().expect("an id").to_owned();
    let outbox = database(world.mesh, "reservation").await;
    let state = async || -> (i64, bool, bool) {
        sqlx::query_as(
            "select event_id, delivered_at is not null, parked_at is not null from outbox
             where aggregate_id = $1::uuid",
        )
        .bind(&id)
        .fetch_one(&outbox)
        .await
        .expect("the event")
    };
    eventually("the sale is delivered", async || state().await.1.then_some(())).await;
    let (event_id, ..) = state().await;
    let event = event_id.to_string();
    // Backdates the dead letter by three hours.
    sqlx::query(
        "update outbox set delivered_at = null, parked_at = now() - interval '3 hours', attempts = 20,
             last_error = 'payment: Internal, INTERNAL'
         where event_id = $1",
    )
    .bind(event_id)
    .execute(&outbox)
    .await
    .expect("set aside");

    let about = format!("event {event} reservation.sold_by_partner about {id}, written ");
    let one = ["--event-id", event.as_str()];
    let with = |command: &'static str, more: &[&'static str]| -> (bool, Vec<String>) {
        let args: Vec<&str> = [&[command][..], &one, more].concat();
        job(&world, "reservation", &args)
    };
    for (command, more, end) in [
        ("list-dead-letters", &[][..], "1 dead letters"),
        ("list-dead-letters", &["--kind", "reservation.sold_by_partner", "--older-than", "2h"], "1 dead letters"),
        ("replay-dead-letters", &["--dry-run"], "1 dead letters would be replayed; nothing was changed"),
    ] {
        let (well, printed) = with(command, more);
        assert!(well && printed.len() == 2, "{printed:?}");
        assert!(printed[0].starts_with(&about), "{printed:?}");
        assert!(printed[0].ends_with("after 20 attempts: payment: Internal, INTERNAL"), "{printed:?}");
        assert_eq!(printed[1], end);
    }
    for more in [["--kind", "reservation.cancelled"], ["--older-than", "4h"]] {
        assert_eq!(
            with("replay-dead-letters", &more),
            (true, vec!["0 dead letters are on their way again".to_owned()])
        );
    }
    assert_eq!(state().await, (event_id, false, true), "nothing has changed so far");

    let (well, printed) = with("replay-dead-letters", &[]);
    assert!(well && printed[0].starts_with(&about), "{printed:?}");
    assert_eq!(printed[1..], ["1 dead letters are on their way again"]);
    eventually("it is delivered again", async || state().await.1.then_some(())).await;
    // A second replay has nothing to do, and succeeds.
    assert_eq!(with("replay-dead-letters", &[]), (true, vec!["0 dead letters are on their way again".to_owned()]));

    let nobodys = i64::MAX.to_string();
    let (well, printed) = job(&world, "reservation", &["replay-dead-letters", "--event-id", &nobodys]);
    assert!(!well && printed.iter().any(|line| line.contains(&format!("no event {nobodys}"))), "{printed:?}");
    let (well, printed) = job(&world, "hotel", &["list-dead-letters"]);
    assert!(!well && printed.iter().any(|line| line.contains("has no outbox")), "{printed:?}");
}
