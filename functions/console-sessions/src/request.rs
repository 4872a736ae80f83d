//! The input of the function, in the domain's types. An error names the field.

use webhooks_api_types::{ConsoleSessionsRequest, NewConsoleSession};
use webhooks_domain::errors;
use webhooks_domain::fields::FieldError;
use webhooks_domain::ids::PortalSessionId;
use webhooks_domain::portal_session::{Actor, Capabilities, SessionDuration};
use webhooks_lambda::FunctionError;
use webhooks_wire::requests::parsed;
use webhooks_wire::sessions;

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Create(Wanted),
    List { before: Option<PortalSessionId> },
    Revoke(PortalSessionId),
    RevokeAll,
}

/// The session that is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) actor: Actor,
    pub(crate) capabilities: Capabilities,
    pub(crate) duration: SessionDuration,
}

/// Reads an input.
///
/// # Errors
/// The first field that is unknown, missing or not valid.
pub(crate) fn read(input: &str) -> Result<Request, FunctionError> {
    let mut json = serde_json::Deserializer::from_str(input);
    let request = serde_path_to_error::deserialize(&mut json);
    request
        .map_err(|error| FieldError::new(&error.path().to_string(), error.inner()))
        .and_then(parse)
        .map_err(|error| FunctionError::new(errors::INVALID_INPUT, &error))
}

fn parse(request: ConsoleSessionsRequest) -> Result<Request, FieldError> {
    Ok(match request {
        ConsoleSessionsRequest::Create(session) => Request::Create(wanted(&session)?),
        ConsoleSessionsRequest::List(page) => Request::List {
            before: parsed("cursor", page.cursor, |cursor| cursor.parse())?,
        },
        ConsoleSessionsRequest::Revoke(session) => {
            let id = session.id.parse();
            Request::Revoke(id.map_err(|error| FieldError::new("id", error))?)
        }
        ConsoleSessionsRequest::RevokeAll(_) => Request::RevokeAll,
    })
}

fn wanted(session: &NewConsoleSession) -> Result<Wanted, FieldError> {
    let actor = session.actor.parse();
    Ok(Wanted {
        actor: actor.map_err(|error| FieldError::new("actor", error))?,
        capabilities: sessions::capabilities(&session.capabilities)?,
        duration: sessions::duration(session.expires_in_seconds)?,
    })
}

#[cfg(test)]
mod tests {
    use lambda_runtime::Diagnostic;
    use serde_json::{Value, json};

    use super::*;

    fn refusal(input: &Value) -> String {
        let refused = read(&input.to_string()).expect_err("refused");
        let Diagnostic {
            error_type,
            error_message,
        } = refused.into();
        assert_eq!(error_type, errors::INVALID_INPUT);
        error_message
    }

    #[test]
    fn a_session_has_an_actor_capabilities_and_an_end() {
        let input = json!({"create": {"actor": "jo@example.com", "capabilities": ["resend"]}});
        let Ok(Request::Create(wanted)) = read(&input.to_string()) else {
            panic!("{input}");
        };
        assert_eq!(wanted.actor.as_str(), "jo@example.com");
        assert_eq!(wanted.capabilities.to_string(), "view,resend");
        assert_eq!(wanted.duration, SessionDuration::default());
    }

    #[test]
    fn a_field_that_is_not_valid_is_named_with_its_bound() {
        let good = json!({"actor": "jo", "capabilities": ["view"], "expiresInSeconds": 60});
        assert!(read(&json!({"create": good}).to_string()).is_ok());
        for (field, value, bound) in [
            ("actor", json!(null), "string"),
            ("actor", json!(""), "256 printable"),
            ("actor", json!("jo\nend"), "256 printable"),
            ("capabilities", json!([]), "at least one"),
            ("capabilities", json!(["all"]), "expected one of"),
            ("expiresInSeconds", json!(59), "60 to 86400"),
            ("expiresInSeconds", json!(86_401), "60 to 86400"),
            ("expiresInSeconds", json!("60"), "whole number"),
            ("expiresInSeconds", json!(null), "null"),
            ("returnUrl", json!("https://app.example"), "unknown field"),
            ("customerId", json!("acme"), "unknown field"),
        ] {
            let mut session = good.clone();
            session[field] = value;
            let said = refusal(&json!({"create": session}));
            assert!(said.contains(field) && said.contains(bound), "{said}");
        }
    }

    #[test]
    fn an_input_is_one_request_and_nothing_else() {
        for (input, said) in [
            (json!({}), "expected"),
            (
                json!({"actor": "jo", "capabilities": ["view"]}),
                "unknown variant `actor`",
            ),
            (json!({"create": {}}), "actor"),
            (json!({"list": {}, "revokeAll": {}}), "expected"),
            (json!({"list": {"cursor": "x"}}), "cursor"),
            (json!({"list": {"limit": 1}}), "limit"),
            (json!({"revoke": {"id": "pse_1"}}), "id"),
            (json!({"revoke": {}}), "id"),
            (json!({"revokeAll": {"id": "pse_1"}}), "id"),
            (json!([]), "expected"),
            (json!("list"), "expected"),
        ] {
            let refused = refusal(&input);
            assert!(refused.contains(said), "{input}: {refused}");
        }
    }
}
