//! An interceptor that adds deadline, request id, trace context and access token to every outgoing call.

use std::time::Duration;

use opentelemetry::{global, propagation::Injector};
use tonic::{
    Request, Status,
    metadata::{MetadataKey, MetadataMap, MetadataValue},
    service::Interceptor,
};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::tokens::ServiceTokens;
use crate::context::RequestContext;

/// Adds `grpc-timeout`, `x-request-id`, the W3C trace context and the access token of this service to a call.
#[derive(Clone)]
pub struct Outgoing {
    pub(super) tokens: ServiceTokens,
    pub(super) call_timeout: Duration,
}

impl Interceptor for Outgoing {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let context = RequestContext::current();
        let time = context.as_ref().map_or(self.call_timeout, |c| c.remaining().min(self.call_timeout));
        request.set_timeout(time);
        if let Some(context) = context
            && let Ok(id) = MetadataValue::try_from(&*context.request_id)
        {
            request.metadata_mut().insert("x-request-id", id);
        }
        let trace = tracing::Span::current().context();
        global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&trace, &mut Metadata(request.metadata_mut()));
        });
        let token = self.tokens.bearer().ok_or_else(|| Status::unavailable("this service has no access token yet"))?;
        request.metadata_mut().insert("authorization", token);
        Ok(request)
    }
}

struct Metadata<'a>(&'a mut MetadataMap);

impl Injector for Metadata<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(key), Ok(value)) = (MetadataKey::from_bytes(key.as_bytes()), MetadataValue::try_from(value)) {
            self.0.insert(key, value);
        }
    }
}
