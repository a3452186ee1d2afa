//! Metrics of the writer: queueing time, transaction time and batch size, for operators and the benchmark.

use std::time::Duration;

use opentelemetry::{KeyValue, global, metrics::Histogram};

/// The histograms of a lane. Cheap to clone.
#[derive(Clone)]
pub(super) struct Metrics {
    wait: Histogram<f64>,
    transaction: Histogram<f64>,
    orders: Histogram<u64>,
    /// Label `kind`: `booking` or `change`.
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
                .with_description("Time from queueing an order to the beginning of its transaction.")
                .with_boundaries(seconds.clone())
                .build(),
            transaction: meter
                .f64_histogram("staymesh.writer.transaction")
                .with_unit("s")
                .with_description("Duration of a transaction, including its commit.")
                .with_boundaries(seconds)
                .build(),
            orders: meter
                .u64_histogram("staymesh.writer.orders")
                .with_description("Orders per transaction.")
                .with_boundaries(vec![1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0])
                .build(),
            kind: [KeyValue::new("kind", kind)],
        }
    }

    /// Records how long an order was queued.
    pub(super) fn waited(&self, time: Duration) {
        self.wait.record(time.as_secs_f64(), &self.kind);
    }

    /// Records a transaction of so many orders.
    pub(super) fn done(&self, orders: usize, time: Duration) {
        self.transaction.record(time.as_secs_f64(), &self.kind);
        self.orders.record(orders as u64, &self.kind);
    }
}
