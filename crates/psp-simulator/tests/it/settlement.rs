//! Settlement files without and with injected faults.

use jiff::{ToSpan, Zoned, civil::Date, tz::TimeZone};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Simulator, error_code, order, start};

fn today() -> Zoned {
    jiff::Timestamp::now().to_zoned(TimeZone::UTC)
}

/// The rows of today's file, after a check of header and trailer; of both days if midnight has passed.
async fn rows(simulator: &Simulator, from: &Zoned) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for day in [from.date(), from.date().tomorrow().unwrap()] {
        let answer = simulator.get(&format!("/v1/settlements/{day}.csv?partial=true")).send().await.unwrap();
        assert_eq!(
            (answer.status(), &answer.headers()["content-type"]),
            (StatusCode::OK, &"text/csv; charset=utf-8".parse().unwrap())
        );
        let text = answer.text().await.unwrap();
        let (csv, trailer) = text.rsplit_once("# lines=").unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        assert_eq!(
            reader.headers().unwrap(),
            "id,kind,reference,session,amount_minor,currency,created".split(',').collect::<Vec<_>>()
        );
        let before = rows.len();
        rows.extend(reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()));
        assert_eq!(trailer, format!("{}\n", rows.len() - before));
    }
    rows
}

async fn post(simulator: &Simulator, path: &str, key: &str, body: Value) -> String {
    let made: Value = simulator.api(path, key, &body).send().await.unwrap().json().await.unwrap();
    made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned()
}

#[tokio::test]
async fn settlement_file_lists_movements_and_injected_faults() {
    let simulator = start(None).await;
    let begun = today();
    let mut sessions = Vec::new();
    for n in 0..3 {
        let session = simulator.create(&format!("k{n}"), &order()).await;
        sessions.push(session["id"].as_str().unwrap().to_owned());
        let card = if n == 2 { "4000 0000 0000 0002" } else { "4242 4242 4242 4242" };
        simulator.press(&session, "pay", Some(card)).await;
    }
    let back = json!({ "session": sessions[0], "amount_minor": 50, "reference": "rf-1" });
    let back = post(&simulator, "/v1/refunds", "r", back).await;
    let out = json!({ "amount_minor": 9_000, "currency": "KWD", "destination": "h", "reference": "po,\"1\"" });
    let out = post(&simulator, "/v1/transfers", "t", out).await;
    let right = rows(&simulator, &begun).await;
    let found = |id: &str| right.iter().find(|row| row[0] == id).unwrap_or_else(|| panic!("{id} in {right:?}"));
    assert_eq!(right.len(), 4);
    assert_eq!(found(&sessions[0])[1..6], ["charge", "p-<b>1</b>", &sessions[0], "12050", "EUR"]);
    assert_eq!(found(&back)[1..6], ["refund", "rf-1", &sessions[0], "50", "EUR"]);
    assert_eq!(found(&out)[1..6], ["transfer", "po,\"1\"", "", "9000", "KWD"]);
    let order_of = |row: &Vec<String>| (row[6].parse::<i64>().unwrap(), row[0].clone());
    assert!(right.is_sorted_by_key(order_of), "{right:?}");

    let faults = json!([
        { "kind": "missing", "id": sessions[0] }, { "kind": "extra", "id": back }, { "kind": "amount", "id": back },
        { "kind": "currency", "id": out }, { "kind": "duplicate", "id": sessions[1] }, { "kind": "status", "id": sessions[2] },
    ]);
    for _ in 0..2 {
        let answer = simulator.api("/v1/settlements/faults", "", &faults).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    }
    let wrong = rows(&simulator, &begun).await;
    let count = |id: &str| wrong.iter().filter(|row| row[0] == id).count();
    let counts = [&sessions[0], &sessions[1], &sessions[2], &back, &out].map(|id| count(id));
    assert_eq!((counts, wrong.len()), ([0, 2, 1, 1, 1], 6));
    assert_eq!(wrong.iter().find(|row| row[0] == back).unwrap()[4], "51");
    assert_eq!(wrong.iter().find(|row| row[0] == out).unwrap()[5], "EUR");
    let status = simulator.get(&format!("/v1/checkout_sessions/{}", sessions[2])).send().await.unwrap();
    assert_eq!(status.json::<Value>().await.unwrap()["status"], "failed", "the file alone is wrong");
}

/// Calls `ask` with today's date, and again if midnight has passed meanwhile.
async fn of_today<T>(ask: impl AsyncFn(Date) -> T) -> T {
    loop {
        let day = today().date();
        let answer = ask(day).await;
        if today().date() == day {
            return answer;
        }
    }
}

#[tokio::test]
async fn settlement_of_unfinished_day_is_refused() {
    let simulator = start(None).await;
    let get = |file: String| simulator.get(&format!("/v1/settlements/{file}"));
    let in_progress = async |day: Date| error_code(get(format!("{day}.csv"))).await;
    assert_eq!(of_today(in_progress).await, (StatusCode::CONFLICT, "day_in_progress".into()));
    // At midnight the first of these is today.
    let day = today().date();
    for date in [day + 1.day(), day + 400.days()] {
        assert_eq!(in_progress(date).await, (StatusCode::CONFLICT, "day_in_progress".into()));
        assert_eq!(error_code(get(format!("{date}.csv?partial=false"))).await.1, "day_in_progress");
    }
    let answer = get(format!("{}.csv", day - 2.days())).send().await.unwrap();
    assert!(answer.text().await.unwrap().ends_with("created\n# lines=0\n"));
    for wrong in [
        "x.csv",
        "2026-13-01.csv",
        "2026-01-01",
        "9999-12-31.csv",
        "2026-01-01.csv?partial=maybe",
        "2026-01-01.csv?x=1",
    ] {
        assert_eq!(error_code(get(wrong.into())).await, (StatusCode::BAD_REQUEST, "invalid_request".into()), "{wrong}");
    }
    let stranger = simulator.http.get(format!("{}/v1/settlements/2026-01-01.csv", simulator.url));
    assert_eq!(error_code(stranger).await.0, StatusCode::UNAUTHORIZED);
    for (fault, code) in [
        (json!([{ "kind": "missing", "id": "cs_x" }]), "not_found"),
        (json!([{ "kind": "odd", "id": "cs_x" }]), "invalid_request"),
        (json!({}), "invalid_request"),
    ] {
        assert_eq!(error_code(simulator.api("/v1/settlements/faults", "", &fault)).await.1, code);
    }
}
