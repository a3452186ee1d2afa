//! Logs, traces and metrics of a process.
//!
//! Logs are JSON lines on standard output: a readable message and dotted fields with units in their names
//! (`duration_ms`). Never logged: passwords, tokens, secrets, card data, names and addresses of guests.

use std::collections::HashMap;

use opentelemetry::{KeyValue, global, trace::TracerProvider};
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    metrics::SdkMeterProvider,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use prometheus::Registry;
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::TelemetryConfig;

/// Handles of the telemetry pipeline, to be flushed when the process ends.
pub struct Telemetry {
    /// The metrics of this process, for [`crate::ops`].
    pub registry: Registry,
    meters: SdkMeterProvider,
    traces: Option<SdkTracerProvider>,
}

/// Sets up logs, metrics and traces for the whole process. Call it once, inside the runtime.
///
/// # Errors
/// When the log filter or the collector's address is invalid, or on a second call.
pub fn init(
    service: &'static str,
    config: &TelemetryConfig,
) -> Result<Telemetry, Box<dyn std::error::Error + Send + Sync>> {
    let resource = Resource::builder().with_service_name(service).build();
    global::set_text_map_propagator(TraceContextPropagator::new());

    let registry = Registry::new();
    let exporter = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
    let meters = SdkMeterProvider::builder().with_reader(exporter).with_resource(resource.clone()).build();
    global::set_meter_provider(meters.clone());

    let traces = match &config.otlp_endpoint {
        Some(endpoint) => Some(trace_provider(endpoint, config.trace_ratio, resource)?),
        None => None,
    };
    tracing_subscriber::registry()
        .with(EnvFilter::try_new(&config.log)?)
        .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false))
        .with(traces.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(service))))
        .try_init()?;
    global::meter("staymesh")
        .u64_gauge("staymesh.build.info")
        .with_description("Always 1; the label is the version.")
        .build()
        .record(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
    Ok(Telemetry { registry, meters, traces })
}

/// The current span as a W3C `traceparent`, to be stored with deferred work; `None` without a trace.
pub fn trace_parent() -> Option<String> {
    let mut carrier = HashMap::new();
    let context = tracing::Span::current().context();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&context, &mut carrier));
    carrier.remove(TRACE_PARENT)
}

/// Makes `span` a child of the span that [`trace_parent`] has returned.
pub fn continue_trace(span: &tracing::Span, trace_parent: Option<&str>) {
    let carrier: HashMap<_, _> =
        trace_parent.map(|value| (TRACE_PARENT.to_owned(), value.to_owned())).into_iter().collect();
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&carrier));
    // Fails only when no trace layer is installed, and then there is no trace to continue.
    let _ = span.set_parent(parent);
}

const TRACE_PARENT: &str = "traceparent";

fn trace_provider(
    endpoint: &str,
    ratio: f64,
    resource: Resource,
) -> Result<SdkTracerProvider, Box<dyn std::error::Error + Send + Sync>> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio))))
        .with_resource(resource)
        .build())
}

impl Telemetry {
    /// Flushes buffered traces and metrics. Bounded by the exporters' own timeouts.
    pub fn flush(&self) {
        if let Some(traces) = &self.traces
            && let Err(error) = traces.shutdown()
        {
            tracing::warn!(%error, "traces were not flushed");
        }
        if let Err(error) = self.meters.shutdown() {
            tracing::warn!(%error, "metrics were not flushed");
        }
    }
}
