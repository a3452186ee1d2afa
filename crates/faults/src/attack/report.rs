//! The results of the attack test, as a table and as JSON.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result};
use comfy_table::{Table, presets};
use serde::Serialize;
use staymesh_load::{Tally, attack::Turn};

/// The results of all forms.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    limit: f64,
    rows: Vec<Row>,
}

/// The results of one form.
#[derive(Debug, Serialize)]
struct Row {
    form: &'static str,
    quiet_p50_ms: f64,
    quiet_p99_ms: f64,
    attacked_p50_ms: f64,
    attacked_p99_ms: f64,
    /// Ratio of the 99th percentiles with and without the attack: the median of the turns.
    ratio: f64,
    answered: u64,
    /// Refused requests of the others, by what was refused.
    refused: BTreeMap<String, u64>,
    /// The attacker's requests that ended by themselves, by status or error.
    ended: BTreeMap<String, u64>,
}

impl Report {
    pub(super) fn new(limit: f64) -> Self {
        Self { limit, rows: Vec::new() }
    }

    /// Adds the turns of one form.
    ///
    /// # Errors
    /// When the histograms differ, which they do not.
    pub(super) fn add(&mut self, form: &'static str, turns: Vec<Turn>) -> Result<()> {
        let mut ratios: Vec<f64> =
            turns.iter().map(|turn| turn.attacked.quantile_ms(0.99) / turn.quiet.quantile_ms(0.99)).collect();
        ratios.sort_by(f64::total_cmp);
        let (mut quiet, mut attacked, mut ended) = (Tally::new()?, Tally::new()?, BTreeMap::new());
        for turn in turns {
            quiet.append(turn.quiet)?;
            attacked.append(turn.attacked)?;
            add(&mut ended, turn.ended);
        }
        let mut refused = quiet.errors.clone();
        add(&mut refused, attacked.errors.clone());
        self.rows.push(Row {
            form,
            quiet_p50_ms: quiet.quantile_ms(0.5),
            quiet_p99_ms: quiet.quantile_ms(0.99),
            attacked_p50_ms: attacked.quantile_ms(0.5),
            attacked_p99_ms: attacked.quantile_ms(0.99),
            ratio: ratios.get(ratios.len() / 2).copied().context("no turn")?,
            answered: quiet.accepted + attacked.accepted,
            refused,
            ended,
        });
        Ok(())
    }

    /// Whether no request of the others was refused, and their latency stayed within the limit.
    pub(super) fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.refused.is_empty() && row.ratio <= self.limit)
    }

    pub(super) fn print(&self) {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN).set_header([
            "form",
            "p50 ms",
            "p99 ms",
            "p50 ms attacked",
            "p99 ms attacked",
            "ratio of p99",
            "answered",
            "refused",
        ]);
        for row in &self.rows {
            let refused: u64 = row.refused.values().sum();
            let ms = |value: f64| format!("{value:.2}");
            table.add_row([
                row.form.to_owned(),
                ms(row.quiet_p50_ms),
                ms(row.quiet_p99_ms),
                ms(row.attacked_p50_ms),
                ms(row.attacked_p99_ms),
                ms(row.ratio),
                row.answered.to_string(),
                refused.to_string(),
            ]);
        }
        println!("{table}");
        println!("ratio of p99: the median of the turns (wanted: at most {:.1}); refused: none wanted", self.limit);
        for row in &self.rows {
            println!("{}: requests of the attacker that ended: {:?}", row.form, row.ended);
            if !row.refused.is_empty() {
                println!("{}: refused: {:?}", row.form, row.refused);
            }
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        fs::write(path, text).with_context(|| format!("writing {}", path.display()))
    }
}

fn add(counts: &mut BTreeMap<String, u64>, more: BTreeMap<String, u64>) {
    for (what, count) in more {
        *counts.entry(what).or_default() += count;
    }
}
