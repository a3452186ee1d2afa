//! A small service behind the real server stack that implements both identity and pricing.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use rcgen::KeyPair;
use staymesh_api::{
    DESCRIPTOR_SET,
    identity::v1::{
        self as identity, JsonWebKey,
        auth_service_server::{AuthService, AuthServiceServer},
    },
    rate::v1::{
        PriceStayRequest, PriceStayResponse, StayPrice,
        pricing_service_server::{PricingService, PricingServiceServer},
    },
};
use staymesh_mesh::{
    Caller,
    auth::{AccessTable, Claims, KeySource, Revocations, RoleGateways, TokenVerifier},
    config::{AuthConfig, ServerConfig},
    context::RequestContext,
    server::{LayerConfig, ServerSpec, serve},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{
    Request, Response, Status,
    service::Routes,
    transport::{Channel, Endpoint},
};

/// Hotel ids that select the behaviour of the pricing service.
pub(crate) const PANICS: i32 = 1;
pub(crate) const SLEEPS: i32 = 2;
pub(crate) const RETURNS_DEADLINE: i32 = 3;
pub(crate) const FAILS: i32 = 4;

pub(crate) fn auth_config() -> AuthConfig {
    AuthConfig { issuer: "https://test".into(), audience: "staymesh".into(), redis_url: None }
}

/// A signing key with its public key.
#[derive(Clone)]
pub(crate) struct Signer {
    key: EncodingKey,
    public: JsonWebKey,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let pem = KeyPair::generate().expect("a key").serialize_pem();
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).expect("a key");
        let jwk = Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a public key");
        let value = serde_json::to_value(&jwk).expect("JSON");
        let text = |name: &str| value[name].as_str().expect("a text").to_owned();
        let public = JsonWebKey {
            kty: "EC".into(),
            crv: "P-256".into(),
            x: text("x"),
            y: text("y"),
            kid: "test".into(),
            alg: "ES256".into(),
            r#use: "sig".into(),
        };
        Self { key, public }
    }

    pub(crate) fn token(&self, role: &str, change: impl FnOnce(&mut Claims)) -> String {
        self.token_by("test", role, change)
    }

    /// A token with this key id in its header.
    pub(crate) fn token_by(&self, key_id: &str, role: &str, change: impl FnOnce(&mut Claims)) -> String {
        let now = jiff::Timestamp::now().as_second();
        let mut claims = Claims {
            iss: "https://test".into(),
            aud: "staymesh".into(),
            sub: "client:test".into(),
            role: role.into(),
            hotel_ids: vec![],
            email_verified: false,
            sid: "client:test".into(),
            iat: now,
            exp: now + 600,
        };
        change(&mut claims);
        let header = Header { kid: Some(key_id.into()), ..Header::new(Algorithm::ES256) };
        encode(&header, &claims, &self.key).expect("signs")
    }
}

#[tonic::async_trait]
impl KeySource for Signer {
    async fn fetch(&self) -> Result<Vec<JsonWebKey>, String> {
        Ok(vec![self.public.clone()])
    }
}

struct Pricing;

#[tonic::async_trait]
impl PricingService for Pricing {
    async fn price_stay(&self, request: Request<PriceStayRequest>) -> Result<Response<PriceStayResponse>, Status> {
        let caller = Caller::required(&request)?;
        let context = RequestContext::current().expect("every request has a context");
        match request.get_ref().hotel_id {
            PANICS => panic!("on purpose"),
            SLEEPS => tokio::time::sleep(Duration::from_mins(1)).await,
            FAILS => return Err(Status::unavailable("on purpose")),
            _ => {}
        }
        assert_eq!(caller.subject, "client:test");
        // Returns the remaining time in milliseconds.
        let left = i32::try_from(context.remaining().as_millis()).unwrap_or(i32::MAX);
        let price = StayPrice { room_type_id: left, ..StayPrice::default() };
        let mut response = Response::new(PriceStayResponse { prices: vec![price] });
        let id = context.request_id.parse().expect("a header");
        response.metadata_mut().insert("seen-request-id", id);
        Ok(response)
    }
}

struct Identity(Signer);

#[tonic::async_trait]
impl AuthService for Identity {
    async fn issue_client_token(
        &self,
        request: Request<identity::IssueClientTokenRequest>,
    ) -> Result<Response<identity::IssueClientTokenResponse>, Status> {
        if request.get_ref().client_secret != "secret" {
            return Err(Status::unauthenticated("wrong secret"));
        }
        Ok(Response::new(identity::IssueClientTokenResponse {
            access_token: self.0.token("service", |_| {}),
            token_type: "Bearer".into(),
            expires_in: 600,
        }))
    }

    async fn get_key_set(
        &self,
        _: Request<identity::GetKeySetRequest>,
    ) -> Result<Response<identity::GetKeySetResponse>, Status> {
        Ok(Response::new(identity::GetKeySetResponse { keys: vec![self.0.public.clone()] }))
    }

    async fn login(&self, _: Request<identity::LoginRequest>) -> Result<Response<identity::Tokens>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn create_guest_session(
        &self,
        _: Request<identity::CreateGuestSessionRequest>,
    ) -> Result<Response<identity::Tokens>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn open_guest_access(
        &self,
        _: Request<identity::OpenGuestAccessRequest>,
    ) -> Result<Response<identity::AccessToken>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn refresh_tokens(
        &self,
        _: Request<identity::RefreshTokensRequest>,
    ) -> Result<Response<identity::Tokens>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn logout_everywhere(
        &self,
        _: Request<identity::LogoutEverywhereRequest>,
    ) -> Result<Response<identity::LogoutEverywhereResponse>, Status> {
        Err(Status::unimplemented(""))
    }

    async fn logout(&self, _: Request<identity::LogoutRequest>) -> Result<Response<identity::LogoutResponse>, Status> {
        Err(Status::unimplemented(""))
    }
}

/// A running server; dropping it stops the server.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) operations: SocketAddr,
    pub(crate) signer: Signer,
    pub(crate) stop: CancellationToken,
    _stop: DropGuard,
}

impl TestServer {
    pub(crate) async fn start(change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::start_with(Revocations::of_this_process(), change).await
    }

    /// A server that knows these revocations.
    pub(crate) async fn start_with(revocations: Revocations, change: impl FnOnce(&mut ServerConfig)) -> Self {
        let free = || SocketAddr::from(([127, 0, 0, 1], staymesh_devenv::port::free_port().expect("a free port")));
        let mut config = ServerConfig {
            listen: free(),
            ops_listen: free(),
            max_concurrency: 64,
            max_concurrency_per_source: 64,
            max_concurrency_per_client: 64,
            max_streams_per_source: 16,
            max_deadline: Duration::from_secs(5),
            error_pages_url: None,
            shutdown_delay: Duration::ZERO,
            drain: Duration::from_secs(5),
            tls_cert: None,
            tls_key: None,
            tls_client_ca: None,
        };
        change(&mut config);
        let signer = Signer::new();
        let served = ServerSpec {
            name: "test",
            routes: Routes::new(PricingServiceServer::new(Pricing))
                .add_service(AuthServiceServer::new(Identity(signer.clone()))),
            grpc_services: vec!["staymesh.rate.v1.PricingService"],
            probes: vec![],
            layers: LayerConfig {
                access: AccessTable::read(DESCRIPTOR_SET).expect("the contract"),
                role_gateways: RoleGateways::read(DESCRIPTOR_SET).expect("the contract"),
                verifier: TokenVerifier::new(signer.clone(), &auth_config()),
                revocations,
                max_concurrency: config.max_concurrency,
                max_concurrency_per_source: config.max_concurrency_per_source,
                max_concurrency_per_client: config.max_concurrency_per_client,
                max_streams_per_source: config.max_streams_per_source,
                max_deadline: config.max_deadline,
            },
            registry: prometheus::Registry::new(),
        };
        let stop = CancellationToken::new();
        let running = Self {
            address: config.listen,
            operations: config.ops_listen,
            signer,
            stop: stop.clone(),
            _stop: stop.clone().drop_guard(),
        };
        let config = Arc::new(config);
        tokio::spawn(async move { serve(&config, served, stop).await.expect("serves") });
        let operations = running.operations;
        tokio::task::spawn_blocking(move || {
            staymesh_devenv::wait::wait_until("the server is ready", Duration::from_secs(20), || {
                Ok(staymesh_devenv::wait::http_ok(operations, "/readyz").then_some(()))
            })
        })
        .await
        .expect("no panic")
        .expect("ready");
        running
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) async fn channel(&self) -> Channel {
        Endpoint::new(self.url()).expect("an address").connect().await.expect("connects")
    }
}

pub(crate) fn ask(hotel_id: i32) -> PriceStayRequest {
    PriceStayRequest { hotel_id, ..PriceStayRequest::default() }
}
