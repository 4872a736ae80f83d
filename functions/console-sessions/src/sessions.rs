//! Answers requests, and logs what they changed.

use serde::Serialize;
use tracing::info;
use webhooks_api_types::{self as api, ConsoleSession, CreatedPortalSession};
use webhooks_domain::errors;
use webhooks_domain::ids::PortalSessionId;
use webhooks_domain::portal_session::{Audience, Origin, PortalSession};
use webhooks_domain::portal_sessions::{CreatedSession, PortalSessionError, PortalSessions};
use webhooks_domain::ports::{Clock, PortalSessionTable, StoreError};
use webhooks_lambda::FunctionError;
use webhooks_wire::lists;
use webhooks_wire::sessions::shown_capabilities;

use crate::request::{Request, Wanted};

/// The largest number of sessions on a page.
const PAGE: u32 = 100;

/// The sessions of the console.
pub(crate) struct ConsoleSessions<T, C> {
    pub(crate) sessions: PortalSessions<T, C>,
    /// The address of the portal and of the console.
    pub(crate) origin: Origin,
}

/// The result of a request.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Created(CreatedPortalSession),
    Listed(api::Page<ConsoleSession>),
    Done(()),
}

impl<T: PortalSessionTable, C: Clock> ConsoleSessions<T, C> {
    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request) -> Result<Answer, FunctionError> {
        let answer = match request {
            Request::Create(wanted) => self.create(wanted).await.map(Answer::Created),
            Request::List { before } => self.list(before.as_ref()).await.map(Answer::Listed),
            Request::Revoke(id) => self.revoke(&id).await.map(Answer::Done),
            Request::RevokeAll => self.revoke_all().await.map(Answer::Done),
        };
        answer.map_err(|error| FunctionError::new(error_type(&error), &error))
    }

    async fn create(&self, wanted: Wanted) -> Result<CreatedPortalSession, PortalSessionError> {
        let Wanted {
            actor,
            capabilities,
            duration,
        } = wanted;
        let created = self
            .sessions
            .create_for_support(actor.clone(), capabilities, duration)
            .await?;
        let CreatedSession {
            session,
            code,
            code_until,
        } = created;
        info!(
            session.id = %session.id,
            session.capabilities = %session.capabilities,
            session.ends_at = %session.ends_at,
            %actor,
            "console session created",
        );
        Ok(CreatedPortalSession {
            id: session.id.to_string(),
            url: format!("{}/#code={}", self.origin, code.expose()),
            url_expires_at: code_until.to_string(),
            expires_at: session.ends_at.to_string(),
        })
    }

    async fn list(
        &self,
        before: Option<&PortalSessionId>,
    ) -> Result<api::Page<ConsoleSession>, PortalSessionError> {
        let page = self.sessions.list(&Audience::Console, before, PAGE).await?;
        let id = |session: &PortalSession| session.id;
        let shown = |session| shown(&session);
        Ok(lists::by_id(page.entries, page.has_more, id, shown))
    }

    async fn revoke(&self, id: &PortalSessionId) -> Result<(), PortalSessionError> {
        self.sessions.revoke(&Audience::Console, id).await?;
        info!(session.id = %id, "console session revoked");
        Ok(())
    }

    async fn revoke_all(&self) -> Result<(), PortalSessionError> {
        self.sessions.revoke_all(&Audience::Console).await?;
        info!("console sessions revoked");
        Ok(())
    }
}

fn shown(session: &PortalSession) -> ConsoleSession {
    let actor = session.holder.actor();
    ConsoleSession {
        id: session.id.to_string(),
        actor: actor.map(ToString::to_string).unwrap_or_default(),
        capabilities: shown_capabilities(&session.capabilities),
        created_at: session.created_at.to_string(),
        entered_at: session.entered_at.map(|at| at.to_string()),
        expires_at: session.ends_at.to_string(),
    }
}

fn error_type(error: &PortalSessionError) -> &'static str {
    match error {
        PortalSessionError::NotFound { .. } | PortalSessionError::BeingDeleted { .. } => {
            errors::SESSION_NOT_FOUND
        }
        PortalSessionError::Store(StoreError::Unavailable { .. }) => errors::STORE_UNAVAILABLE,
        PortalSessionError::Store(StoreError::Corrupt { .. }) => errors::CORRUPT_ITEM,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use lambda_runtime::Diagnostic;
    use ring::rand::SystemRandom;
    use serde_json::{Value, json};
    use webhooks_domain::portal_access::PortalAccess;
    use webhooks_domain::portal_session::{Capability, PortalCode};
    use webhooks_testkit::{InMemoryBackend, samples};

    use super::*;
    use crate::request;

    type Sessions = ConsoleSessions<InMemoryBackend, InMemoryBackend>;

    fn sessions(backend: &InMemoryBackend) -> Sessions {
        ConsoleSessions {
            sessions: PortalSessions {
                table: backend.clone(),
                clock: backend.clone(),
                random: SystemRandom::new(),
            },
            origin: "https://portal.example".parse().unwrap(),
        }
    }

    fn answer(sessions: &Sessions, input: &Value) -> Result<Value, Diagnostic> {
        let request = request::read(&input.to_string())?;
        let answer = sessions.answer(request).now_or_never().unwrap()?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    #[test]
    fn a_link_opens_the_console_once_for_its_actor() {
        let backend = InMemoryBackend::default();
        let sessions = sessions(&backend);
        let input =
            json!({"create": {"actor": "jo", "capabilities": ["manage"], "expiresInSeconds": 600}});
        let created = answer(&sessions, &input).unwrap();
        let url = created["url"].as_str().unwrap();
        let code = url.strip_prefix("https://portal.example/#code=").unwrap();
        let code: PortalCode = code.parse().unwrap();
        let access = PortalAccess {
            table: backend.clone(),
            clock: backend.clone(),
            random: SystemRandom::new(),
        };
        let link = access
            .find(code.clone())
            .now_or_never()
            .unwrap()
            .unwrap()
            .unwrap();
        let enter = || access.enter(&link).now_or_never().unwrap().unwrap();
        let (session, token) = enter().unwrap();
        assert_eq!(session.holder.actor().unwrap().as_str(), "jo");
        assert!(enter().is_none(), "once");
        let checked = access.check(token).now_or_never().unwrap().unwrap();
        let scope = checked.unwrap().of_customer(&samples::customer("acme"));
        let scope = scope.unwrap().scope;
        assert!(scope.has(Capability::Manage) && !scope.has(Capability::Secrets));

        let listed = answer(&sessions, &json!({"list": {}})).unwrap();
        let [session] = listed["data"].as_array().unwrap().as_slice() else {
            panic!("{listed}");
        };
        assert_eq!(
            (&session["id"], &session["actor"]),
            (&created["id"], &json!("jo"))
        );
        assert_eq!(session["capabilities"], json!(["view", "manage"]));
        assert_eq!(session["expiresAt"], created["expiresAt"]);
        assert!(!listed.to_string().contains(&code.expose()));
    }

    #[test]
    fn a_revoked_session_is_gone() {
        let backend = InMemoryBackend::default();
        let sessions = sessions(&backend);
        let create = json!({"create": {"actor": "jo", "capabilities": ["view"]}});
        let [first, _] = [(); 2].map(|()| answer(&sessions, &create).unwrap());
        let revoke = json!({"revoke": {"id": first["id"]}});
        assert_eq!(answer(&sessions, &revoke).unwrap(), Value::Null);
        let again = answer(&sessions, &revoke).unwrap_err();
        assert_eq!(again.error_type, errors::SESSION_NOT_FOUND);
        assert!(again.error_message.contains("the console has no session"));
        let count = || {
            let listed = answer(&sessions, &json!({"list": {}})).unwrap();
            listed["data"].as_array().unwrap().len()
        };
        assert_eq!(count(), 1);
        assert_eq!(
            answer(&sessions, &json!({"revokeAll": {}})).unwrap(),
            Value::Null
        );
        assert_eq!(count(), 0);
    }
}
