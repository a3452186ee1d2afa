//! gRPC clients of the gateways, with a login that renews its token.

use std::time::Duration;

use anyhow::{Context, Result};
use secrecy::{ExposeSecret, SecretString};
use staymesh_api::identity::v1::{IssueClientTokenRequest, LoginRequest, auth_service_client::AuthServiceClient};
use tokio::{sync::watch, time::sleep};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};

/// Deadline of a call; the edge has a shorter one.
const CALL_TIMEOUT: Duration = Duration::from_secs(20);
/// Retry interval of a failed token renewal.
const RENEWAL_RETRY: Duration = Duration::from_secs(2);

/// A channel that sends the access token with each call.
pub(crate) type Authorized = InterceptedService<Channel, Bearer>;

/// Connects to a gateway.
pub(crate) async fn connect(url: &str) -> Result<Channel> {
    let endpoint = Endpoint::from_shared(url.to_owned()).with_context(|| format!("{url} is no address"))?;
    endpoint.timeout(CALL_TIMEOUT).connect().await.with_context(|| format!("connecting to {url}"))
}

/// The credentials of a login.
pub(crate) enum Credentials {
    /// A user account.
    Account { email: String, password: SecretString },
    /// An OAuth 2.0 client.
    Client { id: String, secret: String },
}

/// Interceptor that adds the current access token to each call.
#[derive(Clone)]
pub(crate) struct Bearer(watch::Receiver<MetadataValue<Ascii>>);

impl tonic::service::Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.borrow().clone());
        Ok(request)
    }
}

impl Credentials {
    /// Logs in. A task renews the token after half its lifetime, until every clone of the result is dropped.
    pub(crate) async fn log_in(self, channel: &Channel) -> Result<Bearer> {
        let auth = AuthServiceClient::new(channel.clone());
        let (token, mut life) = self.token(auth.clone()).await?;
        let (sender, receiver) = watch::channel(token);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = sender.closed() => return,
                    () = sleep(life / 2) => {}
                }
                match self.token(auth.clone()).await {
                    Ok((token, new_life)) => {
                        sender.send_replace(token);
                        life = new_life;
                    }
                    // The current token is still valid for a while. Once it expires, calls fail with UNAUTHENTICATED.
                    Err(_) => life = RENEWAL_RETRY * 2,
                }
            }
        });
        Ok(Bearer(receiver))
    }

    async fn token(&self, mut auth: AuthServiceClient<Channel>) -> Result<(MetadataValue<Ascii>, Duration)> {
        let (token, seconds) = match self {
            Self::Account { email, password } => {
                let request = LoginRequest { email: email.clone(), password: password.expose_secret().to_owned() };
                let tokens = auth.login(request).await.context("logging in")?.into_inner();
                (tokens.access_token, tokens.expires_in)
            }
            Self::Client { id, secret } => {
                let request = IssueClientTokenRequest {
                    grant_type: "client_credentials".to_owned(),
                    client_id: id.clone(),
                    client_secret: secret.clone(),
                };
                let answer = auth.issue_client_token(request).await.context("getting a token")?.into_inner();
                (answer.access_token, answer.expires_in)
            }
        };
        let mut value: MetadataValue<Ascii> = format!("Bearer {token}").parse().context("the token")?;
        value.set_sensitive(true);
        Ok((value, Duration::from_secs(seconds.max(2).unsigned_abs().into())))
    }
}
