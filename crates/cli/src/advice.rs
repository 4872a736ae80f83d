//! Adds advice to the client's errors. No other module does.

use std::fmt;

use serde::Serialize;
use webhooks_client::{Error, Problem};

/// The prefix of the API's problem types.
const PROBLEM: &str = "urn:webhooks:problem:";

/// An error of the client, with advice on the next step if there is any.
#[derive(Debug)]
struct Advised {
    text: String,
    /// The API's own answer.
    problem: Option<Problem>,
}

impl fmt::Display for Advised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Advised {}

/// Adds advice on the next step to an error, if there is any.
pub(crate) fn advise(error: Error) -> anyhow::Error {
    let advice = advice(&error);
    let problem = match &error {
        Error::Problem(problem) => Some(problem.clone()),
        _ => None,
    };
    let mut text = match &error {
        // The message already contains its causes.
        Error::Service { .. } => error.to_string(),
        _ => format!("{:#}", anyhow::Error::new(error)),
    };
    if let Some(advice) = advice {
        text.push_str("\n  ");
        text.push_str(&advice);
    }
    anyhow::Error::new(Advised { text, problem })
}

/// Returns an error as JSON for scripts: its text and, if the API has refused a request, the API's
/// own answer.
pub fn error_json(error: &anyhow::Error) -> String {
    #[derive(Serialize)]
    struct Failure<'a> {
        message: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<&'a Problem>,
    }
    let advised = error.downcast_ref::<Advised>();
    let failure = Failure {
        message: format!("{error:#}"),
        problem: advised.and_then(|advised| advised.problem.as_ref()),
    };
    serde_json::to_string(&failure).expect("texts and numbers become JSON")
}

fn advice(error: &Error) -> Option<String> {
    let text = match error {
        Error::Problem(problem) => return advice_on(problem),
        Error::UnexpectedAnswer { status: 403, .. } => {
            "the API's function refuses these credentials: they need lambda:InvokeFunctionUrl and \
             lambda:InvokeFunction on it (docs/api.md, Access)"
        }
        Error::NoAnswer { .. } => {
            "check that the stack exists: `cargo xtask local status` for a local one, `--region` for one in AWS"
        }
        Error::Read { .. } | Error::Parse { .. } => {
            "`cargo xtask local up` starts a local stack and writes its file"
        }
        Error::Service {
            operation: "Invoke",
            ..
        } => {
            "these credentials need lambda:InvokeFunction on the function (docs/api.md, Without a URL; \
             docs/portal.md, Console)"
        }
        Error::Function { kind, .. } if kind == "InvalidInput" || kind == "SessionNotFound" => {
            return None;
        }
        Error::Function { .. } => "the log of the function says how it failed",
        Error::MissingOutput(name) if name == "ConsoleSessionsFunctionName" => {
            "the stack has no console: deploy it with the parameter `Portal=Enabled`"
        }
        Error::Service { .. } => {
            "check that these credentials have the permission (docs/operations.md), and that the stack exists"
        }
        Error::MissingOutput(_) => "deploy the version that belongs to this command",
        Error::Credentials(_) => "log in, or choose a profile with credentials by `--profile`",
        _ => return None,
    };
    Some(text.to_owned())
}

fn advice_on(problem: &Problem) -> Option<String> {
    let detail = problem.detail.as_str();
    let kind = problem.kind.as_str();
    let text = match kind.strip_prefix(PROBLEM)? {
        "not-found" | "method-not-allowed" if detail.contains("path") => {
            "this stack is older than this command: deploy the version that belongs to the command"
        }
        "not-found" if detail.contains("subscription") => {
            "`webhooks subscriptions list CUSTOMER` shows a customer's subscriptions"
        }
        "not-found" if detail.contains("message") => {
            "an event becomes a message within about a second, and only if its customer has a \
             subscription. `webhooks messages list CUSTOMER` shows the messages, \
             `webhooks dlq list` the events that could not be processed"
        }
        "not-found" if detail.contains("delivery") => {
            "`webhooks deliveries list CUSTOMER` shows a customer's deliveries"
        }
        "not-found" if detail.contains("recovery") => {
            "`webhooks recoveries list CUSTOMER SUBSCRIPTION` shows a subscription's recoveries"
        }
        "subscription-not-active" => {
            "`webhooks subscriptions show CUSTOMER SUBSCRIPTION` says why, unless it was deleted; \
             `webhooks subscriptions enable CUSTOMER SUBSCRIPTION --held keep` makes it active and \
             sends nothing that is held"
        }
        "precondition-failed" if detail.contains("customer") => {
            "somebody else has changed it: `webhooks customers show` shows its current version"
        }
        "precondition-failed" => {
            "somebody else has changed it: `webhooks subscriptions show` shows its current version"
        }
        "customer-being-deleted" => "`webhooks customers show CUSTOMER` shows the progress",
        "statistics-disabled" => "deploy with `Statistics=Enabled` to count attempts",
        "idempotency-key-reused" => {
            "use another key for another subscription, or repeat the first command unchanged"
        }
        "subscription-broken" => "`webhooks subscriptions update` with the named fields repairs it",
        "delivery-broken" | "recovery-broken" | "item-broken" => {
            "repair it in the table: docs/runbooks.md, \"An item cannot be read\""
        }
        "unavailable" => "try again in a moment",
        "unreadable" => "read the log of the API's function",
        "invalid-field" => match problem.field.as_deref() {
            Some("cursor") => "use a cursor only with the list and the filters that returned it",
            Some("deliveryId") if detail.contains("`msg_") => {
                "that is a message: `webhooks messages show` shows its deliveries"
            }
            Some("eventType" | "eventTypes") => "such as `order.created` or `order.*`",
            _ => return None,
        },
        _ => return None,
    };
    Some(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(kind: &str, detail: &str, field: Option<&str>) -> Error {
        Error::Problem(Problem {
            kind: format!("{PROBLEM}{kind}"),
            title: "Title".to_owned(),
            status: 404,
            detail: detail.to_owned(),
            field: field.map(str::to_owned),
        })
    }

    #[test]
    fn an_error_says_what_is_wrong_and_then_what_to_do() {
        let error = advise(problem("not-found", "there is no message `msg_1`", None));
        let text = format!("{error:#}");
        assert!(text.starts_with("404 Title: there is no message `msg_1`\n  an event becomes"));
        assert!(text.contains("dlq list"), "{text}");
    }

    #[test]
    fn each_kind_of_problem_has_its_own_advice() {
        for (kind, detail, field, advice) in [
            ("not-found", "there is nothing at this path", None, "older"),
            (
                "not-found",
                "no such subscription",
                None,
                "subscriptions list",
            ),
            ("subscription-not-active", "", None, "enable"),
            ("precondition-failed", "", None, "show"),
            ("unavailable", "", None, "try again"),
            ("invalid-field", "", Some("cursor"), "filters"),
            (
                "invalid-field",
                "deliveryId: id `msg_1`: must be",
                Some("deliveryId"),
                "messages show",
            ),
        ] {
            let text = format!("{:#}", advise(problem(kind, detail, field)));
            assert!(text.contains(advice), "{text}");
        }
        let plain = format!(
            "{:#}",
            advise(problem("invalid-field", "url: bad", Some("url")))
        );
        assert_eq!(plain, "404 Title: url: bad (field `url`)");
    }
}
