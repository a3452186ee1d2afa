//! The results of a run, as a table and as JSON.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use serde::Serialize;
use staymesh_load::Tally;

use crate::{database::Conditions, strategy::Strategy, world::Load};

/// One phase.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) load: &'static str,
    pub(crate) strategy: &'static str,
    /// Clients that each wait for their answer; 0 in open loop.
    pub(crate) clients: usize,
    /// Requests per second that were scheduled, in open loop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<f64>,
    /// Accepted requests per second.
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    pub(crate) errors: u64,
    pub(crate) violations: u64,
    /// Nights on sale, where they differ within a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nights: Option<i64>,
}

impl Row {
    pub(crate) fn new(load: &'static str, strategy: &'static str, clients: usize, tally: &Tally) -> Self {
        Self {
            load,
            strategy,
            clients,
            rate: None,
            per_second: tally.per_second(),
            p50_ms: tally.quantile_ms(0.5),
            p99_ms: tally.quantile_ms(0.99),
            accepted: tally.accepted,
            refused: tally.refused,
            errors: tally.error_count(),
            violations: 0,
            nights: None,
        }
    }
}

/// Writes the rows as JSON.
pub(crate) fn write_json(path: &Path, rows: &[Row]) -> Result<()> {
    let json = serde_json::to_string_pretty(rows)?;
    fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))
}

/// Prints the rows.
pub(crate) fn print_rows(rows: &[Row]) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "load",
        "clients",
        "strategy",
        "per second",
        "p50 ms",
        "p99 ms",
        "accepted",
        "refused",
        "errors",
        "violations",
    ]);
    for row in rows {
        let clients = row.rate.map_or_else(|| row.clients.to_string(), |rate| format!("{rate:.0}/s open"));
        table.add_row([
            row.load.to_owned(),
            clients,
            row.strategy.to_owned(),
            format!("{:.0}", row.per_second),
            format!("{:.2}", row.p50_ms),
            format!("{:.2}", row.p99_ms),
            row.accepted.to_string(),
            row.refused.to_string(),
            row.errors.to_string(),
            row.violations.to_string(),
        ]);
    }
    println!("{table}");
}

/// Prints the conditions of the measurement.
pub(crate) fn print_conditions(conditions: &Conditions, notes: &[String]) {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let build = if cfg!(debug_assertions) { "debug build: the numbers mean nothing" } else { "release build" };
    println!("{cores} cores for database, service and load together; {build}");
    println!("{}", conditions.version);
    let settings: Vec<_> = conditions.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    println!("{}", settings.join(" "));
    for note in notes {
        println!("{note}");
    }
}

/// A comparison of the writer with another strategy, with the required ratio.
pub(crate) struct Claim {
    what: String,
    ratio: f64,
    wanted: &'static str,
    holds: bool,
}

/// The writer against the best of the usual strategies, as far as both were measured.
pub(crate) fn claims(rows: &[Row]) -> Vec<Claim> {
    let faster = |load: Load, clients, least: f64, wanted| {
        let ratio = rate_against_best(rows, load, clients)?;
        let what = format!("{}, {clients} clients: writer / best of the others, bookings a second", load.name());
        Some(Claim { what, ratio, wanted, holds: ratio >= least })
    };
    let as_quick = |load: Load| {
        let p50 = |strategy| find(rows, load, strategy, 1).map(|row| row.p50_ms);
        let ratio = p50(Strategy::Writer)? / p50(Strategy::Constraint)?;
        let what = format!("{}, 1 client: writer / constraint, median latency", load.name());
        Some(Claim { what, ratio, wanted: "at most 1.10", holds: ratio <= 1.1 })
    };
    [
        faster(Load::Hot, 64, 10.0, "at least 10"),
        faster(Load::Hot, 256, 10.0, "at least 10"),
        faster(Load::Spread, 64, 1.5, "at least 1.5"),
        as_quick(Load::Hot),
        as_quick(Load::Spread),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Prints the claims.
pub(crate) fn print_claims(claims: &[Claim]) {
    for Claim { what, ratio, wanted, holds } in claims {
        let verdict = if *holds { "" } else { ": NOT MET" };
        println!("{what}: {ratio:.2} (wanted: {wanted}){verdict}");
    }
}

fn rate_against_best(rows: &[Row], load: Load, clients: usize) -> Option<f64> {
    let writer = find(rows, load, Strategy::Writer, clients)?.per_second;
    let best = Strategy::ALL
        .into_iter()
        .filter(|strategy| strategy.is_usual())
        .filter_map(|strategy| find(rows, load, strategy, clients))
        .map(|row| row.per_second)
        .max_by(f64::total_cmp)?;
    Some(writer / best)
}

fn find(rows: &[Row], load: Load, strategy: Strategy, clients: usize) -> Option<&Row> {
    rows.iter().find(|row| {
        row.load == load.name() && row.strategy == strategy.name() && row.clients == clients && row.rate.is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(strategy: &'static str, clients: usize, per_second: f64, p50_ms: f64) -> Row {
        Row {
            load: "hot",
            strategy,
            clients,
            rate: None,
            per_second,
            p50_ms,
            p99_ms: 0.0,
            accepted: 0,
            refused: 0,
            errors: 0,
            violations: 0,
            nights: None,
        }
    }

    #[test]
    fn claims_compare_writer_with_fastest_usual_strategy_but_not_floor() {
        let rows = [
            row("pessimistic", 64, 300.0, 1.0),
            row("constraint", 64, 500.0, 1.0),
            row("floor", 64, 9000.0, 1.0),
            row("writer", 64, 4000.0, 1.0),
            row("constraint", 1, 400.0, 2.0),
            row("writer", 1, 400.0, 2.1),
        ];
        let claims = claims(&rows);
        let summary: Vec<_> = claims.iter().map(|claim| (claim.ratio, claim.holds)).collect();
        assert_eq!(summary, [(8.0, false), (1.05, true)]);
    }
}
