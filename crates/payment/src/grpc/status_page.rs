//! The page that a guest's browser is shown.

use staymesh_api::{
    google::api::HttpBody,
    payment::v1::{GetStatusPageRequest, GetStatusPageResponse, status_page_service_server::StatusPageService},
};
use staymesh_psp::Psp;
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataValue},
};

use crate::{
    clients::reservations::ReservationClient,
    error::PaymentError,
    status_page::{StatusPages, content_security_policy},
};

/// Serves status pages.
pub struct StatusPage<R, P> {
    pages: StatusPages<R, P>,
    policy: MetadataValue<Ascii>,
}

impl<R, P> StatusPage<R, P> {
    /// Serves these.
    pub fn new(pages: StatusPages<R, P>) -> Self {
        let nothing = MetadataValue::from_static("default-src 'none'");
        Self { pages, policy: content_security_policy().parse().unwrap_or(nothing) }
    }
}

#[tonic::async_trait]
impl<R: ReservationClient, P: Psp> StatusPageService for StatusPage<R, P> {
    async fn get_status_page(
        &self,
        request: Request<GetStatusPageRequest>,
    ) -> Result<Response<GetStatusPageResponse>, Status> {
        let GetStatusPageRequest { reservation_id, key } = request.into_inner();
        // What is no id is told nothing more than what is no key.
        let id = reservation_id.parse().map_err(|_| PaymentError::NotFound)?;
        let data = self.pages.render(id, &key).await?.into_bytes();
        let page = HttpBody { content_type: "text/html; charset=utf-8".to_owned(), data, extensions: Vec::new() };
        let mut response = Response::new(GetStatusPageResponse { page: Some(page) });
        let headers = response.metadata_mut();
        headers.insert("content-security-policy", self.policy.clone());
        for (name, value) in [
            // Its address is all one needs to read it, so it goes nowhere else.
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("x-content-type-options", "nosniff"),
            ("x-robots-tag", "noindex"),
        ] {
            headers.insert(name, MetadataValue::from_static(value));
        }
        Ok(response)
    }
}
