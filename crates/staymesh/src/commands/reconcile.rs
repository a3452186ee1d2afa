//! `staymesh job reconcile` and `staymesh job list-cases`.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde_json::{Value, json};
use staymesh_domain::{Currency, Money, parse_date};
use staymesh_mesh::{client::Mesh, config::ClientConfig};
use staymesh_payment::{
    clients::reservations::GrpcReservationClient,
    operator::{self, Case, CaseFilter, CaseKind, Resolution, State, Sum},
    reconcile::{self, Options, Progress, Summary, yesterday},
};
use staymesh_psp::{AnyPsp, PspConfig, provider::longest_settlement_pause};
use staymesh_store::{StoreConfig, parse_duration};
use tokio_util::sync::CancellationToken;

use super::{patient, status::Findings};

/// Cases per page.
const PAGE: i64 = 500;

/// Compares the provider's settlement file of a day with the ledger, the ledger with the wallets, and payments with
/// reservations.
#[derive(Args)]
pub(crate) struct Reconcile {
    /// The day, yyyy-mm-dd, UTC; yesterday when not given
    #[arg(long, value_parser = date)]
    day: Option<Date>,
    /// Accept a day that is not over
    #[arg(long)]
    partial: bool,
    /// Movements younger than this may not have arrived yet; the next run compares them
    #[arg(long, default_value = "1h", value_parser = parse_duration)]
    grace: Duration,
    /// Where the reservation service listens
    #[arg(long, env = "STAYMESH_RESERVATION_URL")]
    reservation_url: String,
    #[command(flatten)]
    client: ClientConfig,
    #[command(flatten)]
    psp: PspConfig,
    #[command(flatten)]
    store: StoreConfig,
}

/// Lists the cases of the reconciliation.
#[derive(Args)]
pub(crate) struct ListCases {
    /// Only cases in this state
    #[arg(long, value_enum)]
    state: Option<StateName>,
    /// Only cases of this kind, for example `MISSING_AT_PSP`
    #[arg(long, value_parser = kind)]
    kind: Option<CaseKind>,
    /// Only cases of this day, yyyy-mm-dd
    #[arg(long, value_parser = date)]
    day: Option<Date>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    store: StoreConfig,
}

#[derive(Clone, Copy, ValueEnum)]
enum StateName {
    Open,
    Assigned,
    Resolved,
}

fn date(text: &str) -> Result<Date, String> {
    parse_date(text).map_err(|error| error.to_string())
}

fn kind(text: &str) -> Result<CaseKind, String> {
    let names = || CaseKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    CaseKind::from_name(&text.to_ascii_uppercase().replace('-', "_"))
        .ok_or_else(|| format!("must be one of {}", names()))
}

impl Reconcile {
    pub(crate) async fn run(self) -> Result<()> {
        let summary =
            self.look().await.context("the day could not be reconciled; cases are as they were, so run it again")?;
        let counts = summary.counts;
        println!(
            "{} lines and {} payments compared: {} differences, {} cases new or open again, {} closed",
            HumanCount(counts.lines.unsigned_abs()),
            HumanCount(counts.payments.unsigned_abs()),
            counts.found,
            counts.opened,
            counts.closed,
        );
        for (kind, count) in &summary.unresolved {
            println!("{}: {count} not resolved", kind.as_str());
        }
        let unresolved: i64 = summary.unresolved.iter().map(|(_, count)| count).sum();
        if unresolved > 0 {
            let found = format!("{unresolved} cases are not resolved; see `staymesh job list-cases`");
            return Err(Findings(found).into());
        }
        Ok(())
    }

    async fn look(self) -> Result<Summary> {
        let mut store = patient(self.store);
        // A transaction waits for chunks of the file, and a run waits for the lock of a concurrent run.
        let pause = longest_settlement_pause(self.psp.psp_timeout);
        store.database_idle_in_transaction_timeout = store.database_idle_in_transaction_timeout.max(pause);
        store.database_lock_timeout = store.database_lock_timeout.max(Duration::from_mins(5));
        let pool = staymesh_store::connect(&store)?;
        let psp = AnyPsp::new(&self.psp).map_err(anyhow::Error::msg)?;
        let stop = CancellationToken::new();
        let _stopped = stop.clone().drop_guard();
        let mesh = Mesh::join(&self.client, stop)?;
        let reservations = GrpcReservationClient::new(mesh.channel("reservation", &self.reservation_url)?);
        let options = Options {
            day: self.day.unwrap_or_else(|| yesterday(Timestamp::now())),
            partial: self.partial,
            grace: SignedDuration::try_from(self.grace).context("--grace")?,
        };
        let bar = ProgressBar::no_length().with_style(ProgressStyle::with_template("{spinner} {msg} {elapsed}")?);
        bar.enable_steady_tick(Duration::from_millis(200));
        let summary = reconcile::run(&pool, &psp, &reservations, options, |at| {
            bar.set_message(match at {
                Progress::Reading(day, lines) => format!("reading the file of {day}: {lines} lines"),
                Progress::Comparing(payments) => format!("comparing with reservations: {payments} payments"),
                Progress::Judging => "comparing file, ledger and wallets".to_owned(),
            });
        })
        .await;
        bar.finish_and_clear();
        println!("{}", options.day);
        Ok(summary?)
    }
}

impl ListCases {
    pub(crate) async fn run(self) -> Result<()> {
        let pool = staymesh_store::connect(&self.store)?;
        let state = self.state.map(|state| match state {
            StateName::Open => State::Open,
            StateName::Assigned => State::Assigned,
            StateName::Resolved => State::Resolved,
        });
        let filter = CaseFilter { state, kind: self.kind, day: self.day };
        let (mut after, mut count) = (None, 0);
        loop {
            let page = operator::list_cases(&pool, filter, after, PAGE).await.context("reading the cases")?;
            let Some(last) = page.last() else { break };
            (after, count) = (Some(last.case_id), count + page.len());
            if self.json {
                for case in &page {
                    println!("{}", as_json(case));
                }
            } else {
                println!("{}", table(&page));
            }
        }
        if count == 0 && !self.json {
            println!("no cases");
        }
        Ok(())
    }
}

fn as_json(case: &Case) -> Value {
    let finding = &case.finding;
    let sum = |sum: &Option<Sum>| sum.as_ref().map(|(minor, code)| json!({ "minor": minor, "currency_code": code }));
    json!({
        "case_id": case.case_id, "day": finding.day, "kind": finding.kind.as_str(),
        "subject": finding.subject.as_str(), "subject_id": finding.subject_id, "psp_id": finding.psp_id,
        "payment_id": finding.payment_id, "reservation_id": finding.reservation_id,
        "expected": sum(&finding.expected), "found": sum(&finding.found), "detail": finding.detail,
        "state": case.state.as_str(), "owner": case.owner, "note": case.note,
        "resolution": case.resolution.map(Resolution::as_str), "can_replay": case.can_replay(),
        "create_time": case.create_time, "find_time": case.find_time, "update_time": case.update_time,
    })
}

fn table(cases: &[Case]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::ASCII_MARKDOWN)
        .set_header(["case", "day", "kind", "about", "here", "found", "state", "replay", "detail"]);
    for case in cases {
        let finding = &case.finding;
        table.add_row([
            case.case_id.to_string(),
            finding.day.to_string(),
            finding.kind.as_str().to_owned(),
            format!("{} {}", finding.subject.as_str(), finding.subject_id),
            amount(finding.expected.as_ref()),
            amount(finding.found.as_ref()),
            case.owner
                .as_ref()
                .map_or_else(|| case.state.as_str().to_owned(), |owner| format!("{} {owner}", case.state.as_str())),
            if case.can_replay() { "yes" } else { "no" }.to_owned(),
            finding.detail.clone(),
        ]);
    }
    table
}

fn amount(sum: Option<&Sum>) -> String {
    let Some((minor, code)) = sum else { return "-".to_owned() };
    let known = code.parse::<Currency>().ok().and_then(|currency| Money::from_minor(*minor, currency).ok());
    known.map_or_else(|| format!("{minor} minor units of {code}"), |money| money.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_accepts_any_case_and_separator() {
        for text in ["MISSING_AT_PSP", "missing-at-psp", "missing_at_psp"] {
            assert_eq!(kind(text), Ok(CaseKind::MissingAtPsp));
        }
        assert!(kind("all").unwrap_err().contains("MISSING_HERE, AMOUNT"));
    }

    #[test]
    fn amount_has_the_decimals_of_its_currency() {
        assert_eq!(amount(Some(&(12_050, "EUR".to_owned()))), "EUR 120.50");
        assert_eq!(amount(Some(&(5, "QQQ".to_owned()))), "5 minor units of QQQ");
        assert_eq!(amount(None), "-");
    }
}
