//! The report of a replay, as a table and as JSON.

use std::{collections::BTreeMap, fmt::Display, fs, path::Path};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::{
    compare::{Comparison, Line, Totals},
    recording::LeftOut,
};

/// Most differing bookings printed on the terminal. The file has all.
const SHOWN: usize = 10;

/// The file of `--json`.
#[derive(Serialize)]
struct File<'a> {
    exact: bool,
    /// Days by which the dates of the recording are shifted.
    shifted_days: i32,
    left_out: &'a BTreeMap<LeftOut, u64>,
    /// Their ids in the mesh.
    hotels: &'a BTreeMap<String, i32>,
    sum: Line,
    months: Vec<Entry<'a>>,
    faults: &'a [String],
}

#[derive(Serialize)]
struct Entry<'a> {
    hotel: &'a str,
    month: &'a str,
    #[serde(flatten)]
    line: Line,
}

/// Writes everything as JSON.
pub(super) fn write(
    path: &Path,
    comparison: &Comparison,
    left_out: &BTreeMap<LeftOut, u64>,
    hotels: &BTreeMap<String, i32>,
    shifted_days: i32,
) -> Result<()> {
    let months = comparison.months.iter();
    let file = File {
        exact: comparison.is_exact(),
        shifted_days,
        left_out,
        hotels,
        sum: comparison.sum(),
        months: months.map(|(at, line)| Entry { hotel: &at.hotel, month: &at.month, line: *line }).collect(),
        faults: &comparison.faults,
    };
    let json = serde_json::to_string_pretty(&file)?;
    fs::write(path, json + "\n").with_context(|| format!("writing {}", path.display()))
}

/// Prints a table of all months. A cell with a difference has both values.
pub(super) fn show(comparison: &Comparison) {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "hotel",
        "arrival",
        "bookings",
        "cancelled",
        "room nights",
        "revenue",
        "booked for",
        "rooms taken",
        "",
    ]);
    for (at, line) in &comparison.months {
        table.add_row(cells(&at.hotel, &at.month, line));
    }
    table.add_row(cells("all", "", &comparison.sum()));
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    for fault in comparison.faults.iter().take(SHOWN) {
        println!("{fault}");
    }
    if comparison.faults.len() > SHOWN {
        println!("... and {} more", comparison.faults.len() - SHOWN);
    }
}

fn cells(hotel: &str, month: &str, line: &Line) -> Vec<String> {
    let both = |value: fn(&Totals) -> &dyn Display| {
        let (recorded, answered) = (value(&line.recorded).to_string(), value(&line.answered).to_string());
        if recorded == answered { recorded } else { format!("{recorded} ≠ {answered}") }
    };
    vec![
        hotel.to_owned(),
        month.to_owned(),
        both(|totals| &totals.bookings),
        both(|totals| &totals.cancellations),
        both(|totals| &totals.room_nights),
        both(|totals| &totals.revenue),
        both(|totals| &totals.booked_revenue),
        both(|totals| &totals.rooms_taken),
        if line.is_exact() { "exact" } else { "differs" }.to_owned(),
    ]
}
