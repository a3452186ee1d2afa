//! `staymesh job list-dead-letters` and `replay-dead-letters`: the dead letters of an outbox.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, value_parser};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use jiff::{Span, SpanRelativeTo};
use sqlx::PgPool;
use staymesh_store::{
    StoreConfig, StoreError,
    outbox::{self, DeadLetter, DeadLetterFilter},
};

#[derive(Args)]
pub(crate) struct ListDeadLetters {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    store: StoreConfig,
}

#[derive(Args)]
pub(crate) struct ReplayDeadLetters {
    #[command(flatten)]
    which: Which,
    /// Only list what would be replayed
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreConfig,
}

/// The selection of dead letters; all by default.
#[derive(Args)]
struct Which {
    /// Only events of this kind, for example reservation.cancelled
    #[arg(long)]
    kind: Option<String>,
    /// Only the events with these ids
    #[arg(long = "event-id", value_name = "NUMBER", value_delimiter = ',', value_parser = value_parser!(i64).range(1..))]
    event_ids: Vec<i64>,
    /// Only events that have been dead letters for at least this long, for example 90m, 2h or 3d
    #[arg(long, default_value = "0s", value_parser = age)]
    older_than: Duration,
    /// At most this many, oldest first
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u64).range(1..))]
    limit: u64,
}

/// Parses a duration in which a day has 24 hours.
fn age(text: &str) -> Result<Duration, jiff::Error> {
    let age = text.parse::<Span>()?.to_duration(SpanRelativeTo::days_are_24_hours())?;
    age.try_into()
}

impl Which {
    fn filter(&self) -> DeadLetterFilter {
        DeadLetterFilter { kind: self.kind.clone(), event_ids: self.event_ids.clone(), older_than: self.older_than }
    }
}

impl ListDeadLetters {
    pub(super) async fn run(self) -> Result<()> {
        let pool = connect(&self.store).await?;
        let listed = list(&pool, &self.which).await?;
        println!("{} dead letters", HumanCount(listed));
        require_existing(&pool, &self.which.event_ids).await
    }
}

impl ReplayDeadLetters {
    pub(super) async fn run(self) -> Result<()> {
        let pool = connect(&self.store).await?;
        if self.dry_run {
            let listed = list(&pool, &self.which).await?;
            println!("{} dead letters would be replayed; nothing was changed", HumanCount(listed));
        } else {
            let replayed = replay(&pool, &self.which).await?;
            println!("{} dead letters are on their way again", HumanCount(replayed));
        }
        require_existing(&pool, &self.which.event_ids).await
    }
}

async fn connect(store: &StoreConfig) -> Result<PgPool> {
    let pool = staymesh_store::connect(store)?;
    let has_outbox = outbox::has_outbox(&pool).await.context("looking for the outbox")?;
    ensure!(has_outbox, "this database has no outbox; those of reservation and payment have one");
    Ok(pool)
}

async fn list(pool: &PgPool, which: &Which) -> Result<u64> {
    let filter = which.filter();
    let listing = outbox::visit_dead_letters(pool, &filter, which.limit, async |events| {
        for event in &events {
            println!("{}", describe(event));
        }
        Ok(())
    });
    listing.await.context("listing dead letters")
}

/// Replays the selected dead letters and returns their number, without those that a concurrent replay has taken.
async fn replay(pool: &PgPool, which: &Which) -> Result<u64> {
    let bar = ProgressBar::no_length();
    bar.set_style(ProgressStyle::with_template("{spinner} {pos} replayed, {per_sec}")?);
    let filter = which.filter();
    let walk = outbox::visit_dead_letters(pool, &filter, which.limit, async |events| {
        let ids: Vec<i64> = events.iter().map(|event| event.event_id).collect();
        let replayed = outbox::replay(pool, &ids).await?;
        for event in events.iter().filter(|event| replayed.contains(&event.event_id)) {
            bar.suspend(|| println!("{}", describe(event)));
        }
        bar.inc(replayed.len() as u64);
        Ok::<(), StoreError>(())
    });
    walk.await.context("replaying dead letters; those already replayed stay replayed, so run it again")?;
    bar.finish_and_clear();
    Ok(bar.position())
}

/// An error if an event id of `named` does not exist. An event that exists and is no dead letter is pending or delivered,
/// which is no error.
async fn require_existing(pool: &PgPool, named: &[i64]) -> Result<()> {
    let existing = outbox::existing(pool, named).await.context("looking for the events that were named")?;
    let missing: Vec<_> = named.iter().filter(|id| !existing.contains(id)).map(ToString::to_string).collect();
    if !missing.is_empty() {
        bail!("the outbox has no event {}", missing.join(", "));
    }
    Ok(())
}

/// A dead letter as one line, without the payload, which may contain personal data.
fn describe(event: &DeadLetter) -> String {
    format!(
        "event {} {} about {}, written {:.0}, parked {:.0} after {} attempts: {}",
        event.event_id,
        event.kind,
        event.aggregate_id,
        event.create_time,
        event.dead_letter_time,
        event.attempts,
        event.last_error.as_deref().unwrap_or("no reason is known"),
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use uuid::Uuid;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        which: Which,
    }

    fn parse(args: &[&str]) -> Result<Which, clap::Error> {
        Program::try_parse_from([&["p"], args].concat()).map(|program| program.which)
    }

    #[test]
    fn filter_without_arguments_selects_all() {
        let all = parse(&[]).expect("arguments").filter();
        assert_eq!((all.kind, all.event_ids, all.older_than), (None, vec![], Duration::ZERO));
        let args = ["--kind", "payment.paid", "--event-id", "7,9", "--event-id", "12", "--older-than", "2h"];
        let some = parse(&args).expect("arguments").filter();
        assert_eq!(some.kind.as_deref(), Some("payment.paid"));
        assert_eq!((some.event_ids, some.older_than), (vec![7, 9, 12], Duration::from_hours(2)));
        let days = parse(&["--older-than", "3d"]).expect("arguments").filter();
        assert_eq!(days.older_than, Duration::from_hours(72));
    }

    #[test]
    fn invalid_age_id_or_limit_is_refused() {
        let ages = ["--older-than=-1h", "--older-than=1mo", "--older-than=2", "--older-than="];
        for arg in ["--event-id=0", "--event-id=all", "--limit=0"].into_iter().chain(ages) {
            assert!(parse(&[arg]).is_err(), "{arg}");
        }
    }

    #[test]
    fn description_names_event_times_attempts_and_error() {
        let at = |text: &str| text.parse().expect("a time");
        let event = DeadLetter {
            event_id: 7,
            aggregate_id: Uuid::nil(),
            kind: "payment.paid".into(),
            attempts: 3,
            last_error: Some("reservation: NotFound".into()),
            create_time: at("2030-01-01T10:00:00.123456Z"),
            dead_letter_time: at("2030-01-01T10:05:00Z"),
        };
        assert_eq!(
            describe(&event),
            "event 7 payment.paid about 00000000-0000-0000-0000-000000000000, written 2030-01-01T10:00:00Z, parked \
             2030-01-01T10:05:00Z after 3 attempts: reservation: NotFound"
        );
    }
}
