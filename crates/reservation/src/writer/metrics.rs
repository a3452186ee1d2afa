//! Where the time of a booking goes in the writer, for operators and for the benchmark.

use std::time::Duration;

use opentelemetry::{KeyValue, global, metrics::Histogram};

/// What lanes measure. Cheap to clone.
#[derive(Clone)]
pub(super) struct Metrics {
    wait: Histogram<f64>,
    transaction: Histogram<f64>,
    orders: Histogram<u64>,
    /// Bookings or changes.
    kind: [KeyValue; 1],
}

impl Metrics {
    pub(super) fn of(kind: &'static str) -> Self {
        let meter = global::meter("staymesh");
        let seconds = vec![0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];
        Self {
            wait: meter
                .f64_histogram("staymesh.writer.wait")
                .with_unit("s")
                .with_description("Time that an order waited for its transaction to begin.")
                .with_boundaries(seconds.clone())
                .build(),
            transaction: meter
                .f64_histogram("staymesh.writer.transaction")
                .with_unit("s")
                .with_description("Time of a transaction, with its commit.")
                .with_boundaries(seconds)
                .build(),
            orders: meter
                .u64_histogram("staymesh.writer.orders")
                .with_description("Orders of a transaction.")
                .with_boundaries(vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0])
                .build(),
            kind: [KeyValue::new("kind", kind)],
        }
    }

    pub(super) fn waited(&self, time: Duration) {
        self.wait.record(time.as_secs_f64(), &self.kind);
    }

    pub(super) fn done(&self, orders: usize, time: Duration) {
        self.transaction.record(time.as_secs_f64(), &self.kind);
        self.orders.record(u64::try_from(orders).unwrap_or(u64::MAX), &self.kind);
    }
}
