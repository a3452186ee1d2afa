//! The authorization layer: verifies the access token, and applies the method's access rule and the gateway of the
//! caller's role, before the body is read. Sets the origin of the audit records that the request writes.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header::AUTHORIZATION},
    middleware::Next,
    response::Response,
};

use staymesh_api::options::v1::Gateway;
use staymesh_store::audit::Origin;

use super::refusal::refuse;
use crate::{
    audit,
    auth::{
        AccessTable, Caller, Revocations, Role, RoleGateways, Rule, Standing, TokenError, TokenVerifier,
        unauthenticated,
    },
    errors::{Problem, Reason},
    gateway,
};

/// Dependencies of the layer.
pub(super) struct Authorize {
    pub(super) access: AccessTable,
    pub(super) role_gateways: RoleGateways,
    pub(super) verifier: TokenVerifier,
    pub(super) revocations: Revocations,
}

pub(super) async fn layer(State(authorize): State<Arc<Authorize>>, mut request: Request, next: Next) -> Response {
    // A path without a rule is health, reflection or unknown. The router handles all three.
    let mut origin = None;
    if let Some(rule) = authorize.access.rule(request.uri().path()) {
        let entered = gateway::entered(request.headers());
        match authorize.caller(rule, entered, request.headers()).await {
            Ok(Some(caller)) => {
                origin = audit::origin(&caller, request.uri().path(), entered);
                request.extensions_mut().insert(caller);
            }
            Ok(None) => {}
            Err(problem) => return refuse(problem),
        }
    }
    Origin::scope(origin, next.run(request)).await
}

impl Authorize {
    /// The caller, if the rule and the gateway admit it; `None` if anonymous. An anonymous method treats an invalid token as
    /// none, so that a client with an expired token can log in.
    async fn caller(&self, rule: &Rule, entered: Gateway, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
        let caller = match (rule, bearer(headers)) {
            (Rule::Anonymous, None) => return Ok(None),
            (Rule::Anonymous, Some(token)) => match self.verified(token).await {
                Ok(caller) => caller,
                Err(_) => return Ok(None),
            },
            (Rule::Roles(_), None) => return Err(unauthenticated()),
            (Rule::Roles(_), Some(token)) => self.verified(token).await?,
        };
        if !rule.allows(caller.role) {
            return Err(Problem::new(Reason::AccessDenied, "callers with this role may not call this method"));
        }
        self.require_gateway(caller.role, entered)?;
        Ok(Some(caller))
    }

    /// Requires that the request entered by the gateway of the caller's role, so that a stolen token of staff, of an
    /// administrator or of a service is worth nothing to those who reach the public gateway only.
    fn require_gateway(&self, role: Role, entered: Gateway) -> Result<(), Problem> {
        if self.role_gateways.accepts(entered, role) {
            return Ok(());
        }
        let gateway = match self.role_gateways.of(role) {
            Gateway::Public => "public",
            Gateway::Internal | Gateway::Mesh | Gateway::Unspecified => "internal",
        };
        let message = format!("callers with this role use the {gateway} gateway");
        Err(Problem::new(Reason::WrongGateway, message).with("gateway", gateway))
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
            // Fails closed for roles that decide on the data of others.
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
