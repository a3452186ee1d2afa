//! `staymesh-dev replay` on small synthetic recordings.

use std::{fs, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use staymesh_devenv::{Process, wait::wait_until};

use crate::support::{Books, PrivateMesh, World, eventually, operate};

/// Timeout that only detects a hang.
const LIMIT: Duration = Duration::from_mins(3);

const HEADER: &str = "hotel,is_canceled,lead_time,arrival_date_year,arrival_date_month,arrival_date_week_number,\
    arrival_date_day_of_month,stays_in_weekend_nights,stays_in_week_nights,adults,children,babies,meal,country,\
    market_segment,distribution_channel,is_repeated_guest,previous_cancellations,previous_bookings_not_canceled,\
    reserved_room_type,assigned_room_type,booking_changes,deposit_type,agent,company,days_in_waiting_list,\
    customer_type,adr,required_car_parking_spaces,total_of_special_requests,reservation_status,reservation_status_date";

/// Stayed, and did not cancel.
const KEPT: &str = "Check-Out,8/9/2015";

/// A row of the table: hotel and room type, lead time, the day of arrival in July 2015 and nights, adults, the price of
/// a night, and what became of it.
fn row(
    (hotel, room_type): (&str, &str),
    lead: u32,
    (day, nights): (u32, u32),
    adults: u32,
    adr: &str,
    status: &str,
) -> String {
    let canceled = i32::from(status != KEPT);
    format!(
        "{hotel},{canceled},{lead},2015,July,30,{day},0,{nights},{adults},0,0,BB,PRT,Direct,Direct,0,0,0,{room_type},\
         {room_type},0,No Deposit,NULL,NULL,0,Transient,{adr},0,0,{status}"
    )
}

/// A recording in a file, and the output files of its runs.
struct Stage {
    recording: PathBuf,
    report: PathBuf,
    log: PathBuf,
}

impl Stage {
    fn new(world: &World<'_>, name: &str, rows: &[String]) -> Self {
        let dir = world.mesh.local().logs();
        let file = |end: &str| dir.join(format!("replay-{name}.{end}"));
        let stage = Self { recording: file("csv"), report: file("json"), log: file("log") };
        fs::write(&stage.recording, format!("{HEADER}\n{}\n", rows.join("\n"))).expect("written");
        stage
    }

    fn start(&self, world: &World<'_>) -> Process {
        let launch = world.mesh.local().replay(&self.recording).expect("a command");
        let launch = launch.args(["--json", &self.report.display().to_string()]).log(&self.log);
        launch.spawn().expect("it starts")
    }

    /// Runs the replay. Returns whether it matched exactly, and the report.
    fn play(&self, world: &World<'_>) -> (bool, Value) {
        let mut process = self.start(world);
        let status = wait_until("the recording is played", LIMIT, || process.exit_status()).expect("an end");
        let report = fs::read(&self.report).unwrap_or_else(|_| panic!("no report{}", process.log_tail()));
        let report: Value = serde_json::from_slice(&report).expect("JSON");
        assert_eq!(report["exact"], json!(status.success()), "{report:#}");
        (status.success(), report)
    }
}

async fn reservations(world: &World<'_>, hotel_id: &Value) -> Vec<Value> {
    let page = world.admin.get(&format!("/v1/reservations?hotel_id={hotel_id}&page_size=500")).await.ok();
    assert_eq!(page["next_page_token"].as_str().unwrap_or_default(), "");
    page["reservations"].as_array().expect("a list").clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn replay_of_recording_matches_amounts_and_reports_differences() {
    let world = World::shared().await;
    let rows = [
        row(("Hill", "A"), 30, (30, 3), 2, "80.55", KEPT),
        // The same room again, after its cancellation.
        row(("Hill", "A"), 40, (30, 3), 2, "75.5", "Canceled,2015-06-25"),
        row(("Hill", "A"), 1, (30, 1), 1, "120", "No-Show,7/30/2015"),
        row(("Hill", "B"), 5, (30, 0), 2, "80.55", KEPT),
        row(("Hill", "B"), 5, (30, 1), 2, "0", KEPT),
        row(("Hill", "B"), 5, (30, 1), 0, "50", KEPT),
        row(("Sea", "A"), 0, (1, 2), 4, "99.99", KEPT),
    ];
    let stage = Stage::new(&world, "small", &rows);
    let (exact, report) = tokio::task::block_in_place(|| stage.play(&world));
    assert!(exact, "{report:#}");
    assert_eq!(report["left_out"], json!({ "no_nights": 1, "no_price": 1, "no_guests": 1 }));
    let totals = |numbers: [i64; 4], revenue: &str, booked: &str| {
        let [bookings, cancellations, nights, taken] = numbers;
        let totals = json!({
            "bookings": bookings, "cancellations": cancellations, "room_nights": nights, "rooms_taken": taken,
            "revenue": revenue, "booked_revenue": booked,
        });
        json!({ "recorded": totals, "answered": totals })
    };
    let mut months = report["months"].as_array().expect("months").clone();
    let names: Vec<_> = months.iter_mut().map(|month| (month["hotel"].take(), month["month"].take())).collect();
    for month in &mut months {
        month.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    }
    assert_eq!(
        names,
        [("Hill", "2015-07"), ("Hill", "2015-08"), ("Sea", "2015-07")].map(|(h, m)| (json!(h), json!(m)))
    );
    assert_eq!(
        months,
        [
            totals([3, 1, 4, 3], "361.65", "588.15"),
            totals([0, 0, 0, 1], "0.00", "0.00"),
            totals([1, 0, 2, 2], "199.98", "199.98"),
        ]
    );

    let hill = &report["hotels"]["Hill"];
    let played = reservations(&world, hill).await;
    let (exact, _) = tokio::task::block_in_place(|| stage.play(&world));
    assert!(exact);
    assert_eq!(reservations(&world, hill).await, played, "the same run again changes nothing");

    let kept = played.iter().find(|booking| booking["price"]["total"]["amount"] == "241.65").expect("the first row");
    let id = kept["reservation_id"].as_str().expect("an id");
    world.admin.delete(&format!("/v1/reservations/{id}")).await.ok();
    let (exact, report) = tokio::task::block_in_place(|| stage.play(&world));
    assert!(!exact);
    assert_eq!(report["months"][0]["answered"]["revenue"], "120.00", "{report:#}");
    assert_eq!(report["months"][0]["answered"]["rooms_taken"], 1, "{report:#}");
    let fault = report["faults"][0].as_str().expect("a fault");
    assert!(fault.contains("row 1") && fault.contains("instead of kept"), "{fault}");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_replay_resumes_without_duplicate_bookings() {
    let world = World::shared().await;
    let booking = |n: u32| {
        let status = if n.is_multiple_of(3) { "Canceled,7/1/2015" } else { KEPT };
        let room_type = if n.is_multiple_of(2) { "A" } else { "B" };
        let adr = format!("{}.{:02}", 50 + n, n % 100);
        row(("Harbour", room_type), 30 + n % 7, (1 + n % 31, 1 + n % 4), 2, &adr, status)
    };
    let rows: Vec<String> = (0..160).map(booking).collect();
    let stage = Stage::new(&world, "killed", &rows);
    let mut process = stage.start(&world);
    let hotel_id = tokio::task::block_in_place(|| {
        wait_until("the hotel is made", LIMIT, || {
            process.check_running()?;
            let log = fs::read_to_string(&stage.log)?;
            Ok(log.lines().find_map(|line| line.strip_prefix("hotel ")?.strip_suffix(": Harbour")?.parse::<i64>().ok()))
        })
    });
    let hotel_id = json!(hotel_id.expect("a hotel"));
    eventually("ten bookings are replayed", async || {
        process.check_running().expect("the replay runs");
        (reservations(&world, &hotel_id).await.len() >= 10).then_some(())
    })
    .await;
    process.kill_now().expect("killed");
    let before = reservations(&world, &hotel_id).await.len();
    assert!(before < rows.len(), "killed too late");

    let (exact, report) = tokio::task::block_in_place(|| stage.play(&world));
    assert!(exact, "{report:#}");
    assert_eq!(report["sum"]["answered"]["bookings"], 160);
    assert_eq!(report["sum"]["answered"]["cancellations"], 54);
    assert_eq!(reservations(&world, &hotel_id).await.len(), rows.len());
    Books::of(world.mesh).await.assert_balanced().await;
}

/// Timeout of a whole recording that only detects a hang.
const WHOLE_LIMIT: Duration = Duration::from_mins(40);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a recording of real bookings; the command is in CONTRIBUTING.md"]
async fn recording_of_real_bookings_matches_every_month_to_the_cent() {
    let recording = PathBuf::from(std::env::var_os("STAYMESH_RECORDING").expect("STAYMESH_RECORDING names a file"));
    let mesh = PrivateMesh::start(Vec::new()).await;
    let log = mesh.local().logs().join("replay.log");
    let mut process = operate(&mesh, |local| local.replay(&recording)?.log(&log).spawn());
    let status =
        tokio::task::block_in_place(|| wait_until("the recording is played", WHOLE_LIMIT, || process.exit_status()));
    println!("{}", fs::read_to_string(&log).expect("a log"));
    assert!(status.expect("an end").success());
}
