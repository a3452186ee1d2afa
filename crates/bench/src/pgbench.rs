//! The floor below the service: a booking as plain SQL, sent by `pgbench`, where that is installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use staymesh_load::booking::NIGHTS;
use tokio::process::Command;

use crate::{
    check,
    report::Row,
    rig::Rig,
    world::{HOT, Load, World},
};

/// The strategy name of these rows.
pub(crate) const NAME: &str = "pgbench";

/// Measures bookings as plain SQL over `clients` connections. `None` if `pgbench` is not installed.
pub(crate) async fn run(rig: &Rig, load: Load, clients: usize, time: Duration) -> Result<Option<Row>> {
    let Some(program) = rig.database.pgbench() else { return Ok(None) };
    rig.database.reset().await?;
    let dir = rig.database.scratch().join("pgbench");
    fs::create_dir_all(&dir)?;
    let script = dir.join("booking.sql");
    fs::write(&script, booking(load, rig.world))?;
    let run = Command::from(program)
        .args(["--no-vacuum", "--protocol=prepared", "--jobs=2", "--log"])
        .arg(format!("--client={clients}"))
        .arg(format!("--time={}", time.as_secs().max(1)))
        .arg(format!("--file={}", script.display()))
        .arg(format!("--log-prefix={}", dir.join("transactions").display()))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let done = tokio::time::timeout(time + Duration::from_mins(1), run).await.context("pgbench does not end")??;
    ensure!(done.status.success(), "pgbench: {}", String::from_utf8_lossy(&done.stderr));
    let latencies = latencies(&dir)?;
    fs::remove_dir_all(&dir)?;
    // pgbench reports no ids, so acknowledgements cannot be compared.
    let violations = check::violations(&rig.database.pool, &[], u64::MAX).await?;
    Ok(Some(Row { violations, ..row(load, clients, &latencies, time)? }))
}

/// The script of a booking: insert its row, update its nights, commit; without validation and idempotency.
fn booking(load: Load, world: World) -> String {
    let place = match load {
        Load::Spread => format!(
            "\\set hotel random(1, {})\n\\set room (:hotel - 1) * {} + random(1, {})\n\\set day random(1, {})\n",
            world.hotels,
            world.room_types,
            world.room_types,
            world.days - NIGHTS
        ),
        Load::Hot | Load::Sellout => format!("\\set hotel {}\n\\set room {}\n\\set day 10\n", HOT.0, HOT.1),
    };
    let first = world.first;
    format!(
        "{place}begin;
insert into reservation (hotel_id, reservation_id, owner, room_type_id, check_in, check_out, rooms, guests, guest_name,
    guest_email, payment_mode, status, currency, total_minor, price, content_hash, hold_expire_time, revision)
select :hotel::integer, (overlay(overlay(left(r, 28) placing '8' from 15) placing '8' from 20)
        || lpad(to_hex(:hotel::integer), 8, '0'))::uuid, 'pgbench', :room::integer, date '{first}' + :day::integer,
    date '{first}' + :day::integer + {NIGHTS},
    1, 2, 'A guest', 'guest@staymesh.example', 'guest_pays', 'pending_payment', 'EUR', 45000, '{{}}',
    sha256(r::bytea), now() + interval '15 minutes', 1
from (select gen_random_uuid()::text) r (r);
update room_type_inventory set total_reserved = total_reserved + 1, version = version + 1
where hotel_id = :hotel::integer and room_type_id = :room::integer and stay_date >= date '{first}' + :day::integer
    and stay_date < date '{first}' + :day::integer + {NIGHTS};
commit;
"
    )
}

/// Latencies of all transactions in microseconds: the third column of the logs of all threads.
fn latencies(dir: &Path) -> Result<Histogram<u64>> {
    let mut all = Histogram::new(3)?;
    let is_log = |path: &PathBuf| path.extension().is_none_or(|extension| extension != "sql");
    for log in
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?.iter().filter(|p| is_log(p))
    {
        for line in fs::read_to_string(log)?.lines() {
            let micros = line.split(' ').nth(2).context("a log line without a latency")?;
            all.record(micros.parse().with_context(|| format!("not a latency: {micros}"))?)?;
        }
    }
    Ok(all)
}

#[expect(clippy::cast_precision_loss, reason = "counts and microseconds, to be shown")]
fn row(load: Load, clients: usize, all: &Histogram<u64>, time: Duration) -> Result<Row> {
    ensure!(!all.is_empty(), "pgbench made no booking");
    let millis = |quantile| all.value_at_quantile(quantile) as f64 / 1_000.0;
    Ok(Row {
        load: load.name(),
        strategy: NAME,
        clients,
        rate: None,
        per_second: all.len() as f64 / time.as_secs().max(1) as f64,
        p50_ms: millis(0.5),
        p99_ms: millis(0.99),
        accepted: all.len(),
        refused: 0,
        errors: 0,
        violations: 0,
        nights: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_reads_the_logs_of_all_threads() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("transactions.1"), "0 0 1500 0 1 2\n0 1 2500 0 1 3\n").expect("written");
        fs::write(dir.path().join("transactions.1.1"), "1 0 3500 0 1 2\n").expect("written");
        fs::write(dir.path().join("booking.sql"), "select 1").expect("written");
        let all = latencies(dir.path()).expect("read");
        assert_eq!((all.len(), all.min(), all.max() / 10), (3, 1500, 350));
    }
}
