//! The latency budget of the booking writer: time per booking by component, from metrics of the service and the database.

use anyhow::Result;
use comfy_table::{Table, presets};
use prometheus::proto::MetricFamily;
use sqlx::{PgPool, Row as _};

use crate::{report::Row, rig::Rig};

/// Sum and count of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Total {
    sum: f64,
    count: f64,
}

impl Total {
    fn since(self, before: Self) -> Self {
        Self { sum: self.sum - before.sum, count: self.count - before.count }
    }

    fn and(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, count: self.count + other.count }
    }

    fn mean(self) -> f64 {
        if self.count > 0.0 { self.sum / self.count } else { 0.0 }
    }
}

/// The metrics at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reading {
    wait: Total,
    transaction: Total,
    orders: Total,
    sync: Total,
}

/// The means of a phase, in milliseconds.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    phase: String,
    p50_ms: f64,
    wait_ms: f64,
    transaction_ms: f64,
    orders: f64,
    sync_ms: f64,
    bookings_for_each_sync: f64,
}

impl Reading {
    pub(crate) async fn take(rig: &Rig) -> Result<Self> {
        let families = rig.registry.gather();
        Ok(Self {
            wait: total(&families, "staymesh_writer_wait_seconds"),
            transaction: total(&families, "staymesh_writer_transaction_seconds"),
            orders: total(&families, "staymesh_writer_orders"),
            sync: syncs(&rig.database.pool).await?,
        })
    }

    /// The difference to an earlier reading.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            wait: self.wait.since(before.wait),
            transaction: self.transaction.since(before.transaction),
            orders: self.orders.since(before.orders),
            sync: self.sync.since(before.sync),
        }
    }

    /// The sum of two differences.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            wait: self.wait.and(other.wait),
            transaction: self.transaction.and(other.transaction),
            orders: self.orders.and(other.orders),
            sync: self.sync.and(other.sync),
        }
    }

    /// The budget of a phase, from the difference of the readings around it.
    pub(crate) fn budget(self, row: &Row) -> Budget {
        let (orders, sync) = (self.orders, self.sync);
        Budget {
            phase: format!("{}, {}", row.load, row.clients),
            p50_ms: row.p50_ms,
            wait_ms: self.wait.mean() * 1e3,
            transaction_ms: self.transaction.mean() * 1e3,
            orders: orders.mean(),
            sync_ms: sync.mean(),
            bookings_for_each_sync: if sync.count > 0.0 { orders.sum / sync.count } else { 0.0 },
        }
    }
}

/// Prints the budgets of the writer's phases.
pub(crate) fn print(budgets: &[Budget]) {
    if budgets.is_empty() {
        return;
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "writer",
        "p50 ms",
        "waiting for the lane, ms",
        "transaction, ms",
        "of that: log to disk, ms",
        "calls and the rest, ms",
        "bookings a transaction",
        "bookings a log write",
    ]);
    for budget in budgets {
        let rest = budget.p50_ms - budget.wait_ms - budget.transaction_ms;
        table.add_row([
            budget.phase.clone(),
            format!("{:.2}", budget.p50_ms),
            format!("{:.2}", budget.wait_ms),
            format!("{:.2}", budget.transaction_ms),
            format!("{:.2}", budget.sync_ms),
            format!("{rest:.2}"),
            format!("{:.1}", budget.orders),
            format!("{:.1}", budget.bookings_for_each_sync),
        ]);
    }
    println!("{table}");
}

fn total(families: &[MetricFamily], name: &str) -> Total {
    let histograms = families.iter().filter(|family| family.name() == name).flat_map(MetricFamily::get_metric);
    histograms.fold(Total::default(), |total, metric| {
        let histogram = metric.get_histogram();
        Total { sum: total.sum + histogram.get_sample_sum(), count: total.count + as_f64(histogram.get_sample_count()) }
    })
}

/// Total time of WAL syncs in milliseconds, and their number.
async fn syncs(pool: &PgPool) -> Result<Total> {
    let row = sqlx::query("select wal_sync_time, wal_sync from pg_stat_wal").fetch_one(pool).await?;
    Ok(Total { sum: row.get(0), count: as_f64(u64::try_from(row.get::<i64, _>(1))?) })
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run stay far below 2^52")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use prometheus::{Histogram, HistogramOpts, Registry};

    use super::*;

    #[test]
    fn total_since_is_the_difference_of_two_readings() {
        let registry = Registry::new();
        let histogram = Histogram::with_opts(HistogramOpts::new("waited_seconds", "x")).expect("a histogram");
        registry.register(Box::new(histogram.clone())).expect("registers");
        let before = total(&registry.gather(), "waited_seconds");
        histogram.observe(0.5);
        histogram.observe(1.5);
        let after = total(&registry.gather(), "waited_seconds").since(before);
        assert_eq!(after, Total { sum: 2.0, count: 2.0 });
        assert!((after.mean() - 1.0).abs() < f64::EPSILON);
        assert_eq!(total(&registry.gather(), "other"), Total::default());
    }
}
