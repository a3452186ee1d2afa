//! The authorization layer: verifies the access token and applies the method's access rule, before the body is read. Sets
//! the origin of the audit records that the request writes.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::Response,
};

use staymesh_store::audit::Origin;

use super::refusal::refuse;
use crate::{
    audit,
    auth::{AccessTable, Caller, Revocations, Role, Rule, Standing, TokenError, TokenVerifier, unauthenticated},
    errors::{Problem, Reason},
};

/// Dependencies of the layer.
pub(super) struct Authorize {
    pub(super) access: AccessTable,
    pub(super) verifier: TokenVerifier,
    pub(super) revocations: Revocations,
}

pub(super) async fn layer(State(authorize): State<Arc<Authorize>>, mut request: Request, next: Next) -> Response {
    // A path without a rule is health, reflection or unknown. The router handles all three.
    let mut origin = None;
    if let Some(rule) = authorize.access.rule(request.uri().path()) {
        match authorize.caller(rule, request.headers()).await {
            Ok(Some(caller)) => {
                origin = audit::origin(&caller, request.uri().path(), request.headers());
                request.extensions_mut().insert(caller);
            }
            Ok(None) => {}
            Err(problem) => return refuse(problem),
        }
    }
    Origin::scope(origin, next.run(request)).await
}

impl Authorize {
    /// The caller, if the rule admits it; `None` if anonymous. An anonymous method treats an invalid token as none, so that a
    /// client with an expired token can log in.
    async fn caller(&self, rule: &Rule, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
        let token = bearer(headers);
        match (rule, token) {
            (Rule::Anonymous, None) => Ok(None),
            (Rule::Anonymous, Some(token)) => Ok(self.verified(token).await.ok()),
            (Rule::Roles(_), None) => Err(unauthenticated()),
            (Rule::Roles(roles), Some(token)) => {
                let caller = self.verified(token).await?;
                if roles.contains(&caller.role) {
                    return Ok(Some(caller));
                }
                Err(Problem::new(Reason::AccessDenied, "callers with this role may not call this method"))
            }
        }
    }

    async fn verified(&self, token: &str) -> Result<Caller, Problem> {
        let caller = self.verifier.verify(token).await.map_err(|error| match error {
            TokenError::Invalid => unauthenticated(),
            TokenError::KeysUnavailable => {
                Problem::new(Reason::DependencyUnavailable, "the keys to verify tokens with are unavailable; try again")
                    .with("dependency", "identity")
                    .retry_after(Duration::from_secs(2))
            }
        })?;
        match self.revocations.standing(&caller.session).await {
            Standing::Valid => Ok(caller),
            Standing::Revoked => {
                Err(Problem::new(Reason::TokenRevoked, "the login of this token has ended; log in again"))
            }
            // Fails open for guests, who reach their own data alone, for the rest of the token's life at most.
            Standing::Unknown if caller.role == Role::Guest => Ok(caller),
            // Fails closed for everybody who decides on the data of others.
            Standing::Unknown => {
                Err(Problem::new(Reason::DependencyUnavailable, "whether the token is revoked is unknown; try again")
                    .with("dependency", "identity")
                    .retry_after(Duration::from_secs(1)))
            }
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
