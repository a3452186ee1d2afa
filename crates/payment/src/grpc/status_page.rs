//! `StatusPageService`: the status page as HTML for a guest's browser.

use staymesh_api::{
    google::api::HttpBody,
    payment::v1::{GetStatusPageRequest, status_page_service_server::StatusPageService},
};
use staymesh_domain::Language;
use staymesh_psp::Psp;
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
};

use crate::{
    error::PaymentError,
    status_page::{StatusPages, content_security_policy},
};

/// Handler of `StatusPageService`.
pub(crate) struct StatusPageHandler<P> {
    pages: StatusPages<P>,
    policy: MetadataValue<Ascii>,
}

impl<P> StatusPageHandler<P> {
    /// A handler that renders `pages`.
    pub(crate) fn new(pages: StatusPages<P>) -> Self {
        let policy = match content_security_policy().parse() {
            Ok(policy) => policy,
            // Fails closed: a policy that is no header value allows nothing.
            Err(_) => MetadataValue::from_static("default-src 'none'"),
        };
        Self { pages, policy }
    }
}

#[tonic::async_trait]
impl<P: Psp> StatusPageService for StatusPageHandler<P> {
    async fn get_status_page(&self, request: Request<GetStatusPageRequest>) -> Result<Response<HttpBody>, Status> {
        let preferred = request.metadata().get("accept-language").and_then(|languages| languages.to_str().ok());
        let preferred = preferred.and_then(Language::preferred).unwrap_or_default();
        let GetStatusPageRequest { reservation_id, key, language } = request.into_inner();
        // A language that is not there is no reason to show no page.
        let language = Language::preferred(&language).unwrap_or(preferred);
        // An invalid id gets the same answer as an invalid key.
        let id = reservation_id.parse().map_err(|_| PaymentError::NotFound)?;
        let data = self.pages.render(id, &key, language).await?.into_bytes();
        let page = HttpBody { content_type: "text/html; charset=utf-8".to_owned(), data, extensions: Vec::new() };
        let mut response = Response::new(page);
        let headers = response.metadata_mut();
        headers.insert("content-security-policy", self.policy.clone());
        for (name, value) in [
            // The URL is the authorization, so it must not be stored or passed on.
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("vary", "accept-language"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex"),
        ] {
            headers.insert(name, MetadataValue::from_static(value));
        }
        Ok(response)
    }
}
