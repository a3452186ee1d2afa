//! The token with which this service calls others: OAuth 2.0 client credentials, renewed before it ends.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use secrecy::{ExposeSecret, SecretString};
use staymesh_api::identity::v1::{IssueClientTokenRequest, auth_service_client::AuthServiceClient};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::Channel,
};

/// How long identity may take to answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_secs(1);

/// The current token. Cheap to clone.
#[derive(Clone, Default)]
pub struct ServiceTokens(Arc<ArcSwapOption<Current>>);

struct Current {
    bearer: MetadataValue<Ascii>,
    ends: Instant,
}

impl ServiceTokens {
    /// Keeps a token at hand until `stop`. Calls made before the first one has come are refused as unavailable.
    pub fn keep(channel: Channel, id: String, secret: SecretString, stop: CancellationToken) -> Self {
        let tokens = Self::default();
        let keeper = tokens.clone();
        tokio::spawn(async move {
            let mut client = AuthServiceClient::new(channel);
            loop {
                let wait = match issue(&mut client, &id, &secret).await {
                    Ok(current) => {
                        // At four fifths of its life, so that an outage of identity has the rest to end.
                        let life = current.ends.saturating_duration_since(Instant::now());
                        keeper.0.store(Some(Arc::new(current)));
                        life * 4 / 5
                    }
                    Err(error) => {
                        tracing::warn!(error.cause = error, "no service token from identity");
                        RETRY
                    }
                };
                if stop.run_until_cancelled(tokio::time::sleep(wait.max(RETRY))).await.is_none() {
                    return;
                }
            }
        });
        tokens
    }

    /// The value for the `authorization` header, while there is a token that has not ended.
    pub(super) fn bearer(&self) -> Option<MetadataValue<Ascii>> {
        let current = self.0.load();
        let current = current.as_ref()?;
        (current.ends > Instant::now()).then(|| current.bearer.clone())
    }

    /// Whether calls can be made.
    pub fn is_ready(&self) -> bool {
        self.bearer().is_some()
    }
}

async fn issue(client: &mut AuthServiceClient<Channel>, id: &str, secret: &SecretString) -> Result<Current, String> {
    let request = IssueClientTokenRequest {
        grant_type: "client_credentials".to_owned(),
        client_id: id.to_owned(),
        client_secret: secret.expose_secret().to_owned(),
    };
    let asked = Instant::now();
    let answer = tokio::time::timeout(TIMEOUT, client.issue_client_token(request))
        .await
        .map_err(|_| "no answer in time".to_owned())?
        .map_err(|status| format!("{:?}: {}", status.code(), status.message()))?
        .into_inner();
    let mut bearer = MetadataValue::try_from(format!("Bearer {}", answer.access_token))
        .map_err(|_| "identity sent a token that cannot be sent on".to_owned())?;
    bearer.set_sensitive(true);
    let life = Duration::from_secs(u64::try_from(answer.expires_in).unwrap_or(0));
    Ok(Current { bearer, ends: asked + life })
}
