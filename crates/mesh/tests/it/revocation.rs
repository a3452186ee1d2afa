//! Revoked sessions: beside load, and while Redis is stopped, resumed, slow and full.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use staymesh_api::identity::v1::{LogoutRequest, auth_service_client::AuthServiceClient};
use staymesh_devenv::{Link, Proxy};
use staymesh_mesh::{
    Problem, Reason,
    auth::{RevocationSource, Revocations},
    redis::Redis,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Code, Request, transport::Channel};

use crate::support::TestServer;

/// Longest time until a state of Redis shows.
const LIMIT: Duration = Duration::from_secs(20);

/// Stands for identity's database.
#[derive(Clone, Default)]
struct Database {
    revoked: Arc<Mutex<Vec<String>>>,
    down: Arc<AtomicBool>,
}

#[tonic::async_trait]
impl RevocationSource for Database {
    async fn list(&self) -> Result<Vec<String>, String> {
        if self.down.load(Ordering::Relaxed) {
            return Err("down".to_owned());
        }
        Ok(self.revoked.lock().expect("no panic").clone())
    }
}

/// Identity and one server, each with its own connection to one Redis; the server's is a link that can fail.
struct Scene {
    redis: staymesh_devenv::Redis,
    link: Proxy,
    database: Database,
    identity: Revocations,
    server: TestServer,
    channel: Channel,
    _stop: DropGuard,
    _dir: TempDir,
}

/// What a server answers to a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answered {
    Admitted,
    Revoked,
    Unavailable,
}

impl Scene {
    async fn start() -> Self {
        let dir = TempDir::new().expect("a folder");
        let redis = staymesh_devenv::Redis::start(dir.path(), None).expect("starts");
        let link = Proxy::start(SocketAddr::from((Ipv4Addr::LOCALHOST, redis.port()))).expect("a proxy");
        let (database, stop) = (Database::default(), CancellationToken::new());
        let connect = |url: String| Revocations::new(Some(Redis::connect_lazily(&url.into()).expect("a URL")));
        let identity = connect(redis.url());
        tokio::spawn(identity.clone().follow_and_publish(database.clone(), stop.clone()));
        let follower = connect(format!("redis://{}", link.address()));
        tokio::spawn(follower.clone().follow_log(stop.clone()));
        tokio::spawn(follower.clone().follow_source(database.clone(), stop.clone()));
        let server = TestServer::start_with(follower, |config| config.max_concurrency = 1024).await;
        let channel = server.channel().await;
        Self { redis, link, database, identity, server, channel, _stop: stop.drop_guard(), _dir: dir }
    }

    fn token(&self, role: &str, session: &str) -> String {
        self.server.signer.token(role, |claims| session.clone_into(&mut claims.sid))
    }

    async fn ask(&self, token: &str) -> Answered {
        ask(&self.channel, token).await
    }

    /// Ends a session as identity does: in its database, then for every process.
    async fn revoke(&self, session: &str) -> bool {
        self.database.revoked.lock().expect("no panic").push(session.to_owned());
        self.identity.revoke(&[session.to_owned()]).await.is_ok()
    }

    /// Waits until the answer to a token is as expected.
    async fn eventually(&self, token: &str, expected: Answered) {
        let began = Instant::now();
        while self.ask(token).await != expected {
            assert!(began.elapsed() < LIMIT, "not {expected:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Sends a command to Redis and returns its reply.
    fn command(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.redis.port())).expect("connects");
        connection.set_read_timeout(Some(Duration::from_secs(5))).expect("a limit");
        write!(connection, "{command}\r\nQUIT\r\n").expect("sends");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("a reply");
        answer
    }
}

/// `Logout` of the test server is unimplemented: that answer means that the caller was admitted.
async fn ask(channel: &Channel, token: &str) -> Answered {
    let mut request = Request::new(LogoutRequest {});
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().expect("a header"));
    let status = AuthServiceClient::new(channel.clone()).logout(request).await.expect_err("unimplemented");
    match (status.code(), Problem::reason_of(&status)) {
        (Code::Unimplemented, _) => Answered::Admitted,
        (_, Some(Reason::TokenRevoked)) => Answered::Revoked,
        (_, Some(Reason::DependencyUnavailable)) => Answered::Unavailable,
        other => panic!("{other:?}: {status}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn revoked_token_is_never_admitted_beside_load() {
    let scene = Scene::start().await;
    let revoked = scene.token("staff", "dismissed");
    scene.eventually(&revoked, Answered::Admitted).await;
    assert!(scene.revoke("dismissed").await);

    let (calls, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let load = async |n: usize| {
        let token = scene.token("guest", &format!("guest-{n}"));
        while !ended.load(Ordering::Relaxed) {
            assert_eq!(ask(&scene.channel, &token).await, Answered::Admitted);
            calls.fetch_add(1, Ordering::Relaxed);
        }
    };
    let attack = async {
        for asked in 0..50 {
            let before = calls.load(Ordering::Relaxed);
            assert_eq!(scene.ask(&revoked).await, Answered::Revoked, "after {asked} calls");
            let began = Instant::now();
            while calls.load(Ordering::Relaxed) == before {
                assert!(began.elapsed() < LIMIT, "no guest is admitted beside call {asked}");
                tokio::task::yield_now().await;
            }
        }
        ended.store(true, Ordering::Relaxed);
    };
    tokio::join!(futures::future::join_all((0..200).map(load)), attack);
}

/// Calls of eight guests until it is stopped. All are admitted.
struct Load {
    stop: Arc<AtomicBool>,
    calls: JoinSet<()>,
}

impl Load {
    fn start(scene: &Scene) -> Self {
        let (stop, mut calls) = (Arc::<AtomicBool>::default(), JoinSet::new());
        for n in 0..8 {
            let (stop, channel) = (stop.clone(), scene.channel.clone());
            let token = scene.token("guest", &format!("guest-{n}"));
            calls.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(ask(&channel, &token).await, Answered::Admitted);
                }
            });
        }
        Self { stop, calls }
    }

    async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.calls.join_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_is_known_when_it_is_answered_beside_load_with_redis_slow_stopped_resumed_or_full() {
    let mut scene = Scene::start().await;
    let load = Load::start(&scene);
    let others = scene.token("staff", "other");
    scene.eventually(&others, Answered::Admitted).await;
    let end = async |scene: &Scene, session: &str| {
        let token = scene.token("staff", session);
        scene.eventually(&token, Answered::Admitted).await;
        let published = scene.revoke(session).await;
        for _ in 0..50 {
            assert_eq!(scene.ask(&token).await, Answered::Revoked, "{session}");
        }
        assert_eq!(scene.ask(&others).await, Answered::Admitted, "{session}");
        published
    };
    assert!(end(&scene, "healthy").await);
    // Only this server's answers are late.
    scene.link.set(Link::Slow);
    end(&scene, "slow").await;
    scene.link.set(Link::Broken);
    end(&scene, "cut off").await;
    scene.link.set(Link::Healthy);

    // Full: the log can be read but not written.
    assert!(scene.command("CONFIG SET maxmemory 1").starts_with("+OK"));
    assert!(!end(&scene, "full").await);
    assert!(scene.command("CONFIG SET maxmemory 0").starts_with("+OK"));

    tokio::task::block_in_place(|| scene.redis.stop()).expect("stops");
    assert!(!end(&scene, "stopped").await);
    tokio::task::block_in_place(|| scene.redis.resume()).expect("starts");
    // Redis has lost everything; identity writes the log again, for processes that start now.
    let began = Instant::now();
    while !scene.command("XLEN identity:revocations").starts_with(":5") {
        assert!(began.elapsed() < LIMIT, "{}", scene.command("XLEN identity:revocations"));
        tokio::task::yield_now().await;
    }
    end(&scene, "resumed").await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_and_identity_guests_are_admitted_and_staff_refused() {
    let scene = Scene::start().await;
    let (guest, staff) = (scene.token("guest", "g"), scene.token("staff", "s"));
    let (admin, ended) = (scene.token("admin", "a"), scene.token("guest", "ended"));
    scene.eventually(&staff, Answered::Admitted).await;
    scene.revoke("ended").await;
    scene.link.set(Link::Broken);
    scene.database.down.store(true, Ordering::Relaxed);
    scene.eventually(&staff, Answered::Unavailable).await;
    assert_eq!(scene.ask(&admin).await, Answered::Unavailable);
    assert_eq!(scene.ask(&guest).await, Answered::Admitted);
    assert_eq!(scene.ask(&ended).await, Answered::Revoked, "what is known stays known");
    // With either back, every caller is admitted.
    scene.link.set(Link::Healthy);
    scene.eventually(&staff, Answered::Admitted).await;
    scene.link.set(Link::Broken);
    scene.eventually(&staff, Answered::Unavailable).await;
    scene.database.down.store(false, Ordering::Relaxed);
    scene.eventually(&staff, Answered::Admitted).await;
}
