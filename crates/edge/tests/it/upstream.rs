//! A test server that implements services of the contract: requests select its behaviour, and it records them.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::Result;
use axum::{
    Router,
    extract::{Request as HttpRequest, State},
    middleware::{Next, from_fn_with_state},
    response::Response as HttpResponse,
};
use http::HeaderMap;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use staymesh_api::{
    google::api::HttpBody,
    hotel::v1::{hotel_admin_service_server::*, hotel_service_server::*, *},
    identity::v1::{auth_service_server::*, *},
    payment::v1::{psp_webhook_service_server::*, status_page_service_server::*, *},
    reservation::v1::{reservation_service_server::*, *},
};
use staymesh_mesh::{Problem, Reason};
use tokio::net::TcpListener;
use tonic::{Request, Response, Status, service::Routes};

type Answer<T> = Result<Response<T>, Status>;

/// Recorded requests.
#[derive(Default)]
pub(crate) struct Seen {
    /// Path and headers of the last request.
    pub(crate) last: Option<(String, HeaderMap)>,
    /// The last event of the payment provider.
    pub(crate) event: Option<HttpBody>,
}

#[derive(Clone)]
pub(crate) struct Upstream {
    pub(crate) seen: Arc<Mutex<Seen>>,
    key: JsonWebKey,
}

impl Upstream {
    /// Serves until the test's runtime ends.
    pub(crate) async fn start(key: JsonWebKey) -> Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let upstream = Self { seen: Arc::default(), key };
        let (_, health) = tonic_health::server::health_reporter();
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(staymesh_api::DESCRIPTOR_SET)
            .build_v1()?;
        let services = Routes::new(health)
            .add_service(reflection)
            .add_service(HotelServiceServer::new(upstream.clone()))
            .add_service(HotelAdminServiceServer::new(upstream.clone()))
            .add_service(AuthServiceServer::new(upstream.clone()))
            .add_service(PspWebhookServiceServer::new(upstream.clone()))
            .add_service(StatusPageServiceServer::new(upstream.clone()))
            .add_service(ReservationServiceServer::new(upstream.clone()))
            .into_axum_router()
            .layer(from_fn_with_state(upstream.seen.clone(), remember));
        tokio::spawn(serve(listener, services));
        Ok((upstream, address))
    }

    /// Headers of the last call of a method.
    pub(crate) fn last_headers(&self, path: &str) -> Option<HeaderMap> {
        let seen = self.seen.lock().ok()?;
        seen.last.as_ref().filter(|(last, _)| last == path).map(|(_, headers)| headers.clone())
    }
}

/// Not tonic's server, which enforces `grpc-timeout` itself: here the edge must do so.
async fn serve(listener: TcpListener, services: Router) {
    while let Ok((connection, _)) = listener.accept().await {
        let service = TowerToHyperService::new(services.clone());
        tokio::spawn(async move {
            let server = Builder::new(TokioExecutor::new()).http2_only();
            // The edge may close the connection at any time.
            let _ = server.serve_connection(TokioIo::new(connection), service).await;
        });
    }
}

async fn remember(State(seen): State<Arc<Mutex<Seen>>>, request: HttpRequest, next: Next) -> HttpResponse {
    let path = request.uri().path().to_owned();
    // The edge fetches keys in the background.
    if !path.ends_with("/GetKeySet")
        && let Ok(mut seen) = seen.lock()
    {
        seen.last = Some((path, request.headers().clone()));
    }
    next.run(request).await
}

fn hotel(hotel_id: i32) -> Hotel {
    Hotel {
        hotel_id,
        display_name: format!("Hotel \"{hotel_id}\""),
        description: "}}{\\ ü".to_owned(),
        ..Hotel::default()
    }
}

fn other<T>() -> Answer<T> {
    Err(Status::unimplemented("not needed here"))
}

#[tonic::async_trait]
impl HotelService for Upstream {
    async fn get_hotel(&self, request: Request<GetHotelRequest>) -> Answer<Hotel> {
        match request.into_inner().hotel_id {
            409 => Err(Problem::new(Reason::EmailTaken, "taken").into()),
            412 => Err(Problem::new(Reason::HoldExpired, "too late").into()),
            404 => Err(Problem::new(Reason::HotelNotFound, "no such hotel").with("hotel_id", 404).into()),
            429 => Err(Problem::new(Reason::LoginThrottled, "later").retry_after(Duration::from_secs(42)).into()),
            503 => Err(Problem::new(Reason::Overloaded, "busy").retry_after(Duration::from_millis(1500)).into()),
            504 => pending().await,
            hotel_id => Ok(Response::new(hotel(hotel_id))),
        }
    }

    async fn list_hotels(&self, _: Request<ListHotelsRequest>) -> Answer<ListHotelsResponse> {
        Ok(Response::new(ListHotelsResponse { hotels: vec![hotel(1)], ..ListHotelsResponse::default() }))
    }

    async fn get_room_type(&self, _: Request<GetRoomTypeRequest>) -> Answer<RoomType> {
        Ok(Response::new(RoomType::default()))
    }

    async fn list_room_types(&self, _: Request<ListRoomTypesRequest>) -> Answer<ListRoomTypesResponse> {
        other()
    }

    async fn get_room(&self, _: Request<GetRoomRequest>) -> Answer<Room> {
        other()
    }

    async fn list_rooms(&self, _: Request<ListRoomsRequest>) -> Answer<ListRoomsResponse> {
        other()
    }
}

#[tonic::async_trait]
impl HotelAdminService for Upstream {
    async fn create_hotel(&self, request: Request<CreateHotelRequest>) -> Answer<Hotel> {
        Ok(Response::new(request.into_inner().hotel.unwrap_or_default()))
    }

    /// The description in the response is the received mask.
    async fn update_hotel(&self, request: Request<UpdateHotelRequest>) -> Answer<Hotel> {
        let UpdateHotelRequest { hotel_id, hotel, update_mask } = request.into_inner();
        let description = update_mask.unwrap_or_default().paths.join("|");
        Ok(Response::new(Hotel { hotel_id, description, ..hotel.unwrap_or_default() }))
    }

    async fn delete_hotel(&self, _: Request<DeleteHotelRequest>) -> Answer<DeleteHotelResponse> {
        Ok(Response::new(DeleteHotelResponse {}))
    }

    async fn create_room_type(&self, _: Request<CreateRoomTypeRequest>) -> Answer<RoomType> {
        other()
    }

    async fn update_room_type(&self, _: Request<UpdateRoomTypeRequest>) -> Answer<RoomType> {
        other()
    }

    async fn delete_room_type(&self, _: Request<DeleteRoomTypeRequest>) -> Answer<DeleteRoomTypeResponse> {
        other()
    }

    async fn create_room(&self, _: Request<CreateRoomRequest>) -> Answer<Room> {
        other()
    }

    async fn update_room(&self, _: Request<UpdateRoomRequest>) -> Answer<Room> {
        other()
    }

    async fn delete_room(&self, _: Request<DeleteRoomRequest>) -> Answer<DeleteRoomResponse> {
        other()
    }

    async fn list_audit_records(
        &self,
        _: Request<staymesh_api::hotel::v1::ListAuditRecordsRequest>,
    ) -> Answer<staymesh_api::hotel::v1::ListAuditRecordsResponse> {
        other()
    }
}

#[tonic::async_trait]
impl AuthService for Upstream {
    async fn login(&self, request: Request<LoginRequest>) -> Answer<Tokens> {
        let access_token = request.into_inner().email;
        Ok(Response::new(Tokens { access_token, ..Tokens::default() }))
    }

    async fn create_guest_session(&self, _: Request<CreateGuestSessionRequest>) -> Answer<Tokens> {
        other()
    }

    async fn open_guest_access(&self, _: Request<OpenGuestAccessRequest>) -> Answer<AccessToken> {
        other()
    }

    async fn refresh_tokens(&self, _: Request<RefreshTokensRequest>) -> Answer<Tokens> {
        other()
    }

    async fn logout(&self, _: Request<LogoutRequest>) -> Answer<LogoutResponse> {
        Ok(Response::new(LogoutResponse {}))
    }

    async fn logout_everywhere(&self, _: Request<LogoutEverywhereRequest>) -> Answer<LogoutEverywhereResponse> {
        other()
    }

    async fn issue_client_token(&self, _: Request<IssueClientTokenRequest>) -> Answer<IssueClientTokenResponse> {
        other()
    }

    async fn get_key_set(&self, _: Request<GetKeySetRequest>) -> Answer<GetKeySetResponse> {
        Ok(Response::new(GetKeySetResponse { keys: vec![self.key.clone()] }))
    }
}

#[tonic::async_trait]
impl PspWebhookService for Upstream {
    async fn receive_psp_event(&self, request: Request<ReceivePspEventRequest>) -> Answer<ReceivePspEventResponse> {
        if let Ok(mut seen) = self.seen.lock() {
            seen.event = request.into_inner().body;
        }
        Ok(Response::new(ReceivePspEventResponse {}))
    }
}

#[tonic::async_trait]
impl StatusPageService for Upstream {
    /// A page if the key is "right"; other keys select the error.
    async fn get_status_page(&self, request: Request<GetStatusPageRequest>) -> Answer<HttpBody> {
        match request.into_inner().key.as_str() {
            "right" => {
                let data = "<!DOCTYPE html><p>{\"ü\"}</p>".as_bytes().to_vec();
                let page = HttpBody { content_type: "text/html; charset=utf-8".into(), data, extensions: vec![] };
                let mut response = Response::new(page);
                response.metadata_mut().insert("content-security-policy", "default-src 'self'".parse().expect("ASCII"));
                Ok(response)
            }
            "" => other(),
            "hang" => pending().await,
            "unavailable" => Err(Problem::new(Reason::StoreUnavailable, "the database is unavailable")
                .retry_after(Duration::from_secs(1))
                .into()),
            "broken" => Err(Problem::new(Reason::Internal, "a defect").into()),
            _ => Err(Problem::new(Reason::PaymentNotFound, "there is no such payment").into()),
        }
    }
}

#[tonic::async_trait]
impl ReservationService for Upstream {
    /// One entry for each requested room type.
    async fn get_availability(&self, request: Request<GetAvailabilityRequest>) -> Answer<GetAvailabilityResponse> {
        let ids = request.into_inner().room_type_ids;
        let room_types = ids
            .into_iter()
            .map(|room_type_id| RoomTypeAvailability { room_type_id, ..RoomTypeAvailability::default() });
        Ok(Response::new(GetAvailabilityResponse { room_types: room_types.collect() }))
    }

    async fn list_offers(&self, _: Request<ListOffersRequest>) -> Answer<ListOffersResponse> {
        other()
    }

    async fn prepare_reservation(&self, _: Request<PrepareReservationRequest>) -> Answer<PrepareReservationResponse> {
        Ok(Response::new(PrepareReservationResponse::default()))
    }

    async fn create_reservation(&self, _: Request<CreateReservationRequest>) -> Answer<Reservation> {
        other()
    }

    async fn get_reservation(&self, request: Request<GetReservationRequest>) -> Answer<Reservation> {
        let reservation_id = request.into_inner().reservation_id;
        Ok(Response::new(Reservation { reservation_id, ..Reservation::default() }))
    }

    async fn list_reservations(&self, _: Request<ListReservationsRequest>) -> Answer<ListReservationsResponse> {
        Ok(Response::new(ListReservationsResponse::default()))
    }

    async fn check_offers(&self, _: Request<CheckOffersRequest>) -> Answer<CheckOffersResponse> {
        other()
    }

    async fn update_room_guests(&self, _: Request<UpdateRoomGuestsRequest>) -> Answer<Reservation> {
        other()
    }

    async fn resume_hold(&self, _: Request<ResumeHoldRequest>) -> Answer<Reservation> {
        other()
    }

    async fn release_hold(&self, _: Request<ReleaseHoldRequest>) -> Answer<Reservation> {
        other()
    }

    async fn extend_hold(&self, _: Request<ExtendHoldRequest>) -> Answer<Reservation> {
        other()
    }

    async fn get_cancel_quote(&self, _: Request<GetCancelQuoteRequest>) -> Answer<CancelQuote> {
        other()
    }

    async fn cancel_reservation(&self, _: Request<CancelReservationRequest>) -> Answer<Reservation> {
        other()
    }

    async fn cancel_rooms(&self, _: Request<CancelRoomsRequest>) -> Answer<Reservation> {
        other()
    }

    async fn quote_change(&self, _: Request<QuoteChangeRequest>) -> Answer<ChangeQuote> {
        other()
    }

    async fn apply_change(&self, _: Request<ApplyChangeRequest>) -> Answer<Reservation> {
        other()
    }

    async fn list_reservation_revisions(
        &self,
        _: Request<ListReservationRevisionsRequest>,
    ) -> Answer<ListReservationRevisionsResponse> {
        other()
    }
}
