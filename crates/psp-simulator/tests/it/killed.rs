//! Durability of the state file: the simulator is killed and started again.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use staymesh_psp_simulator::{Config, serve_on};
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::support::{Simulator, client_of, config, order};

const FOLDER: &str = "PSP_SIMULATOR_TEST_FOLDER";

/// Not a test: the process that `acknowledged_changes_survive_sigkill` starts and kills.
#[tokio::test]
#[ignore = "the process of another test"]
async fn serves_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::fs::write(folder.join("url.new"), url).unwrap();
    std::fs::rename(folder.join("url.new"), folder.join("url")).unwrap();
    let config = Config { state: Some(folder.join("state.jsonl")), ..config(None) };
    serve_on(listener, config, CancellationToken::new()).await.unwrap();
}

/// A process that is killed on drop.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn spawn(folder: &Path) -> (Process, Simulator) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::serves_until_it_is_killed", "--ignored"]).env(FOLDER, folder);
    let process = Process(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(url) = std::fs::read_to_string(folder.join("url")) {
            std::fs::remove_file(folder.join("url")).unwrap();
            return (process, client_of(url));
        }
        assert!(Instant::now() < deadline, "it does not start");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn acknowledged_changes_survive_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let (process, simulator) = spawn(folder.path()).await;
    let order = order();
    let paid = simulator.create("paid", &order).await;
    simulator.press(&paid, "pay", None).await;
    let refund = json!({ "session": paid["id"], "amount_minor": 50, "reference": "rf" });
    simulator.api("/v1/refunds", "r", &refund).send().await.unwrap();
    let reviewed = simulator.create("reviewed", &order).await;
    simulator.press(&reviewed, "pay", Some("4000 0000 0000 9235")).await;
    let challenged = simulator.create("challenged", &order).await;
    simulator.press(&challenged, "pay", Some("4000 0000 0000 9979")).await;
    simulator.press(&challenged, "pay", Some("4000 0000 0000 3220")).await;
    let transfer = json!({ "amount_minor": 7, "currency": "EUR", "destination": "h", "reference": "t" });
    let transfer: Value = simulator.api("/v1/transfers", "t", &transfer).send().await.unwrap().json().await.unwrap();
    let faults = json!([{ "kind": "duplicate", "id": transfer["id"] }, { "kind": "missing", "id": paid["id"] }]);
    assert!(simulator.api("/v1/settlements/faults", "", &faults).send().await.unwrap().status().is_success());
    let seen = async |simulator: &Simulator| {
        let mut seen = Vec::new();
        let day = jiff::Timestamp::from_second(transfer["created"].as_i64().unwrap()).unwrap();
        let mut paths = vec![
            format!("/v1/settlements/{}.csv?partial=true", day.strftime("%Y-%m-%d")),
            format!("/v1/transfers/{}", transfer["id"].as_str().unwrap()),
        ];
        for session in [&paid, &reviewed, &challenged] {
            paths.push(format!("/v1/checkout_sessions/{}", session["id"].as_str().unwrap()));
        }
        for path in paths {
            let text = simulator.get(&path).send().await.unwrap().text().await.unwrap();
            // It listens on another port now.
            seen.push(text.replace(&simulator.url, ""));
        }
        seen
    };
    let before = seen(&simulator).await;
    assert!(before[0].ends_with("# lines=3\n"), "{}", before[0]);
    drop(process);

    let (_process, simulator) = spawn(folder.path()).await;
    assert_eq!(seen(&simulator).await, before);
    let again: Value = simulator.create("challenged", &order).await;
    let (status, _) = simulator.choose(&again, "challenge", "approve").await;
    assert!(status.is_success());
    assert_eq!(simulator.status(&challenged).await, "paid");
    let (status, _) = simulator.choose(&simulator.create("reviewed", &order).await, "review", "reject").await;
    assert!(!status.is_success());
    assert_eq!(simulator.status(&reviewed).await, "failed");
}
