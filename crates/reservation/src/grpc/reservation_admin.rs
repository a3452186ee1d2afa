//! `ReservationAdminService`: what hotel staff do with reservations.

use std::sync::Arc;

use jiff::Timestamp;
use staymesh_api::reservation::v1::{self as proto, reservation_admin_service_server::ReservationAdminService};
use staymesh_mesh::{Caller, audit, audit_query};
use tonic::{Request, Response, Status};

use super::{request::reservation_id, response};
use crate::service::BookingService;

/// Handles `ReservationAdminService`.
pub(crate) struct ReservationAdminHandler(pub(crate) Arc<BookingService>);

#[tonic::async_trait]
impl ReservationAdminService for ReservationAdminHandler {
    async fn mark_no_show(
        &self,
        request: Request<proto::MarkNoShowRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let id = reservation_id(&request.into_inner().reservation_id)?;
        let booking = self.0.mark_no_show(&caller, id, Timestamp::now()).await?;
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn undo_no_show(
        &self,
        request: Request<proto::UndoNoShowRequest>,
    ) -> Result<Response<proto::Reservation>, Status> {
        let caller = Caller::required(&request)?;
        let id = reservation_id(&request.into_inner().reservation_id)?;
        let booking = self.0.undo_no_show(&caller, id, Timestamp::now()).await?;
        Ok(Response::new(response::reservation(booking)?))
    }

    async fn list_audit_records(
        &self,
        request: Request<proto::ListAuditRecordsRequest>,
    ) -> Result<Response<proto::ListAuditRecordsResponse>, Status> {
        let query = audit_query!(request.into_inner());
        let (audit_records, next_page_token) = audit::list(self.0.pool(), query).await?;
        Ok(Response::new(proto::ListAuditRecordsResponse { audit_records, next_page_token }))
    }
}
