//! The scope of a session of the portal, in the context of an event.
//!
//! The portal invokes the API with events of the API's own requests. The scope in such an event has
//! the customer and the capabilities of the session, so that the API checks both again. For a request
//! to a Function URL Lambda makes the context, so such a request has no scope.

use std::collections::HashMap;

use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequestContext;
use serde_json::{Value, json};
use webhooks_domain::ids::{CustomerId, PortalSessionId};
use webhooks_domain::portal_access::CustomerScope;
use webhooks_domain::portal_session::{Actor, Capabilities, Capability};

/// The member of `authorizer.lambda` with the scope. A Lambda authorizer of the operator, in front of
/// the API, may have members of its own there.
const MEMBER: &str = "webhooksPortalSession";

/// The customer for whom the portal makes a request, and the permitted actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalScope {
    /// The customer. The request must be about it.
    pub customer: CustomerId,
    /// The session, for the audit.
    pub session: PortalSessionId,
    /// The member of the operator's support staff, for the audit. `None` for a customer's session.
    pub actor: Option<Actor>,
    /// The permitted actions.
    pub capabilities: Capabilities,
}

/// The event has a scope that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the scope of the session cannot be read")]
pub struct MalformedScope;

impl PortalScope {
    /// The scope of a request. `None` if the request does not come from the portal.
    ///
    /// # Errors
    /// If there is a scope that cannot be read. The request must be refused.
    pub fn read(context: &ApiGatewayV2httpRequestContext) -> Result<Option<Self>, MalformedScope> {
        let authorizer = context.authorizer.as_ref();
        match authorizer.and_then(|authorizer| authorizer.fields.get(MEMBER)) {
            Some(scope) => parsed(scope).map(Some).ok_or(MalformedScope),
            None => Ok(None),
        }
    }

    /// The members of `authorizer.lambda`.
    pub(crate) fn members(&self) -> HashMap<String, Value> {
        let capabilities: Vec<_> = self.capabilities.iter().map(Capability::as_str).collect();
        let scope = json!({
            "customerId": self.customer.to_string(),
            "sessionId": self.session.to_string(),
            "actor": self.actor.as_ref().map(Actor::as_str),
            "capabilities": capabilities,
        });
        HashMap::from([(MEMBER.to_owned(), scope)])
    }
}

impl From<&CustomerScope> for PortalScope {
    fn from(scope: &CustomerScope) -> Self {
        let session = scope.session();
        Self {
            customer: scope.customer().clone(),
            session: session.id,
            actor: scope.actor().cloned(),
            capabilities: session.capabilities.clone(),
        }
    }
}

fn parsed(scope: &Value) -> Option<PortalScope> {
    let capabilities = scope["capabilities"].as_array()?.iter();
    let capabilities = capabilities.map(|name| name.as_str()?.parse().ok());
    let capabilities: Vec<Capability> = capabilities.collect::<Option<_>>()?;
    let actor = match &scope["actor"] {
        Value::Null => None,
        actor => Some(actor.as_str()?.parse().ok()?),
    };
    Some(PortalScope {
        actor,
        customer: scope["customerId"].as_str()?.parse().ok()?,
        session: scope["sessionId"].as_str()?.parse().ok()?,
        capabilities: Capabilities::new(capabilities).ok()?,
    })
}
