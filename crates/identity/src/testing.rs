//! Fixtures shared by the tests of this crate.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::SecretString;
use sqlx::PgPool;
use staymesh_api::{
    identity::v1::{
        CreateUserRequest, LoginRequest, RefreshTokensRequest, Tokens as ProtoTokens, User,
        auth_service_server::AuthService, user_service_server::UserService,
    },
    options::v1::Role,
};
use staymesh_mesh::{
    Caller, Problem, Reason,
    auth::{Revocations, RoleGateways, TokenVerifier},
    config::AuthConfig,
    redis::Redis,
};
use staymesh_store::outbox::Wake;
use staymesh_testkit::TestDatabase;
use tempfile::TempDir;
use tonic::{Request, Status};
use uuid::Uuid;

use crate::{
    MIGRATOR,
    clients::hotel::MockHotelClient,
    config::{Lives, PasswordConfig},
    crypto::EncryptionKey,
    error::IdentityError,
    grpc::{AuthHandler, IdentityAdminHandler, MailRecipientHandler, RevocationHandler, UserHandler},
    service::{
        Dependencies, Services, SourceLimits,
        admission::Admission,
        keyring::Keyring,
        passwords::{Argon2Passwords, Passwords, Requester},
        source_limit::{Limited, SourceLimit},
        throttle::Throttle,
        tokens::Tokens,
    },
};

pub(crate) const LIVES: Lives = Lives {
    access: Duration::from_mins(10),
    client: Duration::from_hours(1),
    refresh: Duration::from_hours(24 * 30),
    grace: Duration::from_secs(10),
    secret_overlap: Duration::from_hours(24),
};
/// Failed logins admitted per window.
pub(crate) const FAILURES: u8 = 3;
/// Guest checkouts of one source admitted per window.
pub(crate) const GUEST_SESSIONS: u16 = 4;
pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) fn encryption_key_text() -> SecretString {
    STANDARD.encode([7; 32]).into()
}

pub(crate) fn encryption_key() -> EncryptionKey {
    EncryptionKey::from_base64(&encryption_key_text()).unwrap()
}

pub(crate) fn admission() -> Admission {
    Admission::new(RoleGateways::read(staymesh_api::DESCRIPTOR_SET).unwrap())
}

pub(crate) fn auth_config() -> AuthConfig {
    AuthConfig { issuer: "https://identity.test".into(), audience: "test".into(), redis_url: None }
}

/// A private Redis server, stopped on drop.
pub(crate) struct TestRedis {
    pub(crate) server: staymesh_devenv::Redis,
    _dir: TempDir,
}

impl TestRedis {
    /// Sends a command and returns the raw reply.
    pub(crate) fn command(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.server.port())).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        write!(connection, "{command}\r\nQUIT\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }
}

pub(crate) fn test_redis() -> (TestRedis, Redis) {
    let dir = tempfile::tempdir().unwrap();
    let server = staymesh_devenv::Redis::start(dir.path(), None).unwrap();
    let redis = Redis::connect_lazily(&server.url().into()).unwrap();
    (TestRedis { server, _dir: dir }, redis)
}

/// Argon2 with cheap parameters. Records the parameters of each hash it verifies.
pub(crate) struct WatchedPasswords {
    inner: Argon2Passwords,
    verified: Mutex<Vec<String>>,
    pub(crate) full: AtomicBool,
    /// A verification ends only while nothing holds this for writing.
    pub(crate) gate: tokio::sync::RwLock<()>,
}

impl WatchedPasswords {
    pub(crate) fn new() -> Self {
        let config =
            PasswordConfig { argon2_memory_kib: 64, argon2_iterations: 1, argon2_parallel: 4, argon2_queue: 1000 };
        let inner = Argon2Passwords::new(&config).unwrap();
        Self { inner, verified: Mutex::default(), full: AtomicBool::new(false), gate: tokio::sync::RwLock::default() }
    }

    /// The argon2 parameters of each verification since the last call.
    pub(crate) fn take_verified(&self) -> Vec<String> {
        std::mem::take(&mut *self.verified.lock().unwrap())
    }
}

#[tonic::async_trait]
impl Passwords for WatchedPasswords {
    fn ensure_capacity(&self) -> Result<(), IdentityError> {
        if self.full.load(Ordering::Relaxed) { Err(IdentityError::Overloaded) } else { self.inner.ensure_capacity() }
    }

    async fn hash_for(&self, requester: Requester, password: &SecretString) -> Result<String, IdentityError> {
        self.inner.hash_for(requester, password).await
    }

    async fn verify_for(
        &self,
        requester: Requester,
        password: &SecretString,
        phc: &str,
    ) -> Result<bool, IdentityError> {
        let parameters = phc.split('$').take(4).collect::<Vec<_>>().join("$");
        self.verified.lock().unwrap().push(parameters);
        let valid = self.inner.verify_for(requester, password, phc).await;
        drop(self.gate.read().await);
        valid
    }

    fn decoy_hash(&self) -> String {
        self.inner.decoy_hash()
    }
}

/// One replica of the service on a database.
pub(crate) struct Replica {
    pub(crate) users: UserHandler,
    pub(crate) auth: AuthHandler,
    pub(crate) admin: IdentityAdminHandler,
    pub(crate) revocation: RevocationHandler,
    pub(crate) recipients: MailRecipientHandler,
    pub(crate) keyring: Keyring,
    pub(crate) passwords: Arc<WatchedPasswords>,
    pub(crate) verifier: TokenVerifier,
    pub(crate) revocations: Revocations,
}

impl Replica {
    pub(crate) fn over(pool: &PgPool, redis: Option<Redis>) -> Self {
        Self::with(pool, redis, FAILURES, LIVES)
    }

    /// A replica that admits this many failed logins, with these lives of tokens. Every hotel exists.
    pub(crate) fn with(pool: &PgPool, redis: Option<Redis>, failures: u8, lives: Lives) -> Self {
        let mut hotels = MockHotelClient::new();
        hotels.expect_require_hotel().returning(|_| Ok(()));
        Self::with_hotels(pool, redis, (failures, lives), hotels)
    }

    /// A replica that asks `hotels` whether hotels exist.
    pub(crate) fn with_hotels(
        pool: &PgPool,
        redis: Option<Redis>,
        (failures, lives): (u8, Lives),
        hotels: MockHotelClient,
    ) -> Self {
        let passwords = Arc::new(WatchedPasswords::new());
        let key = encryption_key();
        let keyring = Keyring::new(pool.clone(), key.clone());
        let revocations =
            redis.clone().map_or_else(Revocations::of_this_process, |redis| Revocations::new(Some(redis)));
        let limit = |limited, most| SourceLimit::new(limited, most, None, &encryption_key());
        let services = Services::new(Dependencies {
            pool: pool.clone(),
            passwords: Arc::clone(&passwords) as Arc<dyn Passwords>,
            throttle: Throttle::new(redis, &key, failures),
            key,
            tokens: Tokens::new(keyring.clone(), &auth_config()),
            keyring: keyring.clone(),
            revocations: revocations.clone(),
            admission: admission(),
            lives,
            limits: SourceLimits {
                mail_requests: limit(Limited::MailRequests, 20),
                guest_sessions: limit(Limited::GuestSessions, GUEST_SESSIONS),
                guest_keys: limit(Limited::GuestKeys, failures.into()),
            },
            wake: Wake::default(),
            hotels: Arc::new(hotels),
        });
        Self {
            users: UserHandler::new(&services),
            auth: AuthHandler::new(&services),
            admin: IdentityAdminHandler::new(&services),
            revocation: RevocationHandler::new(&services),
            recipients: MailRecipientHandler::new(&services),
            verifier: TokenVerifier::new(keyring.clone(), &auth_config()),
            keyring,
            passwords,
            revocations,
        }
    }

    pub(crate) async fn sign_up(&self, email: &str) -> Result<User, Status> {
        let request = CreateUserRequest {
            email: email.to_owned(),
            password: PASSWORD.to_owned(),
            display_name: "Ada".to_owned(),
            request_id: String::new(),
            language: String::new(),
        };
        self.create_user(request).await
    }

    pub(crate) async fn create_user(&self, request: CreateUserRequest) -> Result<User, Status> {
        let answer = self.users.create_user(Request::new(request)).await?;
        Ok(answer.into_inner())
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Result<ProtoTokens, Status> {
        self.login_from("192.0.2.1", email, password).await
    }

    /// A login from this source, as the edge reports it.
    pub(crate) async fn login_from(&self, source: &str, email: &str, password: &str) -> Result<ProtoTokens, Status> {
        let mut request = Request::new(LoginRequest { email: email.to_owned(), password: password.to_owned() });
        request.metadata_mut().insert("x-staymesh-source", source.parse().expect("a header"));
        let answer = self.auth.login(request).await?;
        Ok(answer.into_inner())
    }

    pub(crate) async fn refresh(&self, token: &str) -> Result<ProtoTokens, Status> {
        let request = RefreshTokensRequest { refresh_token: token.to_owned() };
        let answer = self.auth.refresh_tokens(Request::new(request)).await?;
        Ok(answer.into_inner())
    }

    /// The caller that an access token identifies.
    pub(crate) async fn caller(&self, access_token: &str) -> Caller {
        self.verifier.verify(access_token).await.expect("a token of ours")
    }
}

/// A replica with a database of its own. Boxed, because it is large and the futures of tests hold it.
pub(crate) async fn replica(redis: Option<Redis>) -> (TestDatabase, Box<Replica>) {
    let database = TestDatabase::new("identity", &MIGRATOR).await.unwrap();
    let replica = Box::new(Replica::over(database.pool(), redis));
    (database, replica)
}

/// A request authenticated as this caller.
pub(crate) fn as_caller<T>(message: T, caller: &Caller) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller.clone());
    request
}

pub(crate) fn guest(user_id: &str) -> Caller {
    Caller {
        subject: user_id.to_owned(),
        role: Role::Guest,
        hotel_ids: Vec::new(),
        email_verified: false,
        session: Uuid::now_v7().to_string(),
    }
}

#[track_caller]
pub(crate) fn assert_reason<T>(result: Result<T, Status>, reason: Reason) -> Status {
    let status = result.err().expect("refused");
    assert_eq!(Problem::reason_of(&status), Some(reason), "{status:?}");
    status
}

/// The fields that an `INVALID_FIELD` status names.
pub(crate) fn invalid_fields(status: &Status) -> Vec<String> {
    use tonic_types::StatusExt;
    let details = status.get_details_bad_request().expect("has BadRequest");
    details.field_violations.into_iter().map(|violation| violation.field).collect()
}
