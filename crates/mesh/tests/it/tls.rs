//! Mutual TLS between services: server and client refuse certificates of other authorities.

use std::{fs, path::PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use staymesh_api::rate::v1::pricing_service_client::PricingServiceClient;
use staymesh_mesh::{client::Mesh, config::ClientConfig};
use std::time::Duration;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::{
    calls::client_config,
    support::{RETURNS_DEADLINE, TestServer, ask},
};

/// A certificate authority and the certificates it has issued.
struct Authority {
    dir: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signs");
        let authority = Self { dir: TempDir::new().expect("a folder"), issuer };
        fs::write(authority.path("ca.pem"), authority.issuer.pem()).expect("written");
        authority
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A certificate for localhost and its key, as files.
    fn issue(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let cert = params.signed_by(&key, &self.issuer).expect("signs");
        let (cert_path, key_path) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        fs::write(&cert_path, cert.pem()).expect("written");
        fs::write(&key_path, key.serialize_pem()).expect("written");
        (cert_path, key_path)
    }
}

async fn server(authority: &Authority) -> TestServer {
    let (cert, key) = authority.issue("server");
    let ca = authority.path("ca.pem");
    TestServer::start(|config| {
        config.tls_cert = Some(cert);
        config.tls_key = Some(key);
        config.tls_client_ca = Some(ca);
    })
    .await
}

/// Whether a service with this configuration can call the server.
async fn can_call(server: &TestServer, change: impl FnOnce(&mut ClientConfig)) -> bool {
    let url = format!("https://localhost:{}", server.address.port());
    let mut config = client_config(&url);
    config.call_timeout = Duration::from_secs(1);
    change(&mut config);
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let mesh = Mesh::join(&config, stop).expect("joins");
    let mut client = PricingServiceClient::new(mesh.channel("pricing", &url).expect("a channel"));
    for _ in 0..20 {
        if client.price_stay(ask(RETURNS_DEADLINE)).await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_one_authority_are_accepted_and_others_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = server(&ours).await;
    let (cert, key) = ours.issue("caller");
    let (strange_cert, strange_key) = theirs.issue("caller");
    let friend = can_call(&server, |config| {
        config.tls_ca = Some(ours.path("ca.pem"));
        config.tls_caller_cert = Some(cert.clone());
        config.tls_caller_key = Some(key.clone());
    });
    let nameless = can_call(&server, |config| config.tls_ca = Some(ours.path("ca.pem")));
    let stranger = can_call(&server, |config| {
        config.tls_ca = Some(ours.path("ca.pem"));
        config.tls_caller_cert = Some(strange_cert);
        config.tls_caller_key = Some(strange_key);
    });
    let doubting = can_call(&server, |config| {
        config.tls_ca = Some(theirs.path("ca.pem"));
        config.tls_caller_cert = Some(cert.clone());
        config.tls_caller_key = Some(key.clone());
    });
    let outcomes = tokio::join!(friend, nameless, stranger, doubting);
    assert_eq!(outcomes, (true, false, false, false));
}
