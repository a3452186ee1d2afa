//! The access token with which this service calls others: OAuth 2.0 client credentials (RFC 6749, section 4.4), renewed
//! before it expires.

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

/// Deadline of a request to identity.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Delay after a failed request, and shortest interval between requests.
const RETRY: Duration = Duration::from_secs(1);

/// The current access token of this service. Cheap to clone.
#[derive(Clone, Default)]
pub struct ServiceTokens(Arc<ArcSwapOption<Current>>);

struct Current {
    bearer: MetadataValue<Ascii>,
    expires: Instant,
}

impl ServiceTokens {
    /// Fetches and renews the token in a background task until `stop`. Calls before the first token fail as unavailable.
    pub fn keep(channel: Channel, id: String, secret: SecretString, stop: CancellationToken) -> Self {
        let tokens = Self::default();
        let keeper = tokens.clone();
        tokio::spawn(async move {
            let mut client = AuthServiceClient::new(channel);
            loop {
                let wait = match issue(&mut client, &id, &secret).await {
                    Ok(current) => {
                        // Renews after 4/5 of the lifetime: an outage of identity may last for the remaining fifth.
                        let life = current.expires.saturating_duration_since(Instant::now());
                        keeper.0.store(Some(Arc::new(current)));
                        life * 4 / 5
                    }
                    Err(error) => {
                        tracing::warn!(error.cause = error, "cannot fetch the service token from identity");
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

    /// The value of the `authorization` header; `None` before the first token and after expiry.
    pub(super) fn bearer(&self) -> Option<MetadataValue<Ascii>> {
        let current = self.0.load();
        let current = current.as_ref()?;
        (current.expires > Instant::now()).then(|| current.bearer.clone())
    }

    /// Whether there is a token that has not expired.
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
    let sent = Instant::now();
    let answer = tokio::time::timeout(TIMEOUT, client.issue_client_token(request))
        .await
        .map_err(|_| format!("no answer within {} s", TIMEOUT.as_secs()))?
        .map_err(|status| format!("{:?}: {}", status.code(), status.message()))?
        .into_inner();
    let mut bearer = MetadataValue::try_from(format!("Bearer {}", answer.access_token))
        .map_err(|_| "identity issued a token that is no valid header value".to_owned())?;
    bearer.set_sensitive(true);
    let life =
        u64::try_from(answer.expires_in).map_err(|_| "identity issued a token with a negative lifetime".to_owned())?;
    let life = Duration::from_secs(life);
    Ok(Current { bearer, expires: sent + life })
}
