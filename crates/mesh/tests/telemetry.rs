//! Traces reach an OTLP collector and metrics the registry. A separate process, because telemetry is initialized once per
//! process.

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use staymesh_mesh::{config::TelemetryConfig, telemetry};
use std::time::Duration;
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

struct Collector(mpsc::UnboundedSender<String>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let resources = request.into_inner().resource_spans.into_iter();
        for span in resources.flat_map(|r| r.scope_spans).flat_map(|s| s.spans) {
            let _ = self.0.send(span.name);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_reach_the_collector_and_metrics_the_registry() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sender, mut names) = mpsc::unbounded_channel();
    let collector = Server::builder()
        .add_service(TraceServiceServer::new(Collector(sender)))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(collector);

    let config =
        TelemetryConfig { log: "info".into(), otlp_endpoint: Some(format!("http://{address}")), trace_ratio: 1.0 };
    let telemetry = telemetry::init("test", &config).expect("set up once");
    let kept = tracing::info_span!("rpc", otel.name = "the-span").in_scope(|| {
        tracing::info!("inside");
        telemetry::trace_parent().expect("there is a trace")
    });
    let later = tracing::info_span!("deliver", otel.name = "the-delivery");
    telemetry::continue_trace(&later, Some(&kept));
    let going_on = later.in_scope(telemetry::trace_parent).expect("there is a trace");
    assert_eq!(going_on.split('-').nth(1), kept.split('-').nth(1), "the same trace");
    drop(later);
    let families = telemetry.registry.gather();
    assert!(families.iter().any(|family| family.name().contains("staymesh_build_info")), "{families:?}");
    tokio::task::spawn_blocking(move || telemetry.flush()).await.expect("flushes");
    let name = tokio::time::timeout(Duration::from_secs(20), names.recv()).await.expect("in time");
    assert_eq!(name.as_deref(), Some("the-span"));
    assert!(telemetry::init("test", &config).is_err(), "twice is an error, not a panic");
}
