//! Errors of the client, with what to do next: the one place.

use anyhow::anyhow;
use webhooks_client::{Error, Problem};

/// The start of every type of problem of the API.
const PROBLEM: &str = "urn:webhooks:problem:";

/// An error with what to do next, if there is something to say.
pub(crate) fn advise(error: Error) -> anyhow::Error {
    let advice = advice(&error);
    let text = match &error {
        // Its message has its causes.
        Error::Service { .. } => error.to_string(),
        _ => format!("{:#}", anyhow::Error::new(error)),
    };
    match advice {
        Some(advice) => anyhow!("{text}\n  {advice}"),
        None => anyhow!(text),
    }
}

fn advice(error: &Error) -> Option<String> {
    let text = match error {
        Error::Problem(problem) => return advice_on(problem),
        Error::UnexpectedAnswer { status: 403, .. } => {
            "the API's function refuses these credentials: they need lambda:InvokeFunctionUrl and \
             lambda:InvokeFunction on it (docs/api.md, Access)"
        }
        Error::NoAnswer { .. } => {
            "is the stack there? A local one: `cargo xtask local status`; one in AWS: look at `--region`"
        }
        Error::Read { .. } | Error::Parse { .. } => {
            "`cargo xtask local up` starts a local stack and writes its file"
        }
        Error::Service {
            operation: "Invoke",
            ..
        } => {
            "these credentials need lambda:InvokeFunction on the API's function (docs/api.md, \
             Without a URL); its log says how it failed"
        }
        Error::Service { .. } => {
            "may these credentials do that (docs/operations.md), and is the stack there?"
        }
        Error::MissingOutput(_) => "deploy the version that this command is from",
        Error::Credentials(_) => "log in, or choose a profile that has some with `--profile`",
        _ => return None,
    };
    Some(text.to_owned())
}

fn advice_on(problem: &Problem) -> Option<String> {
    let detail = problem.detail.as_deref().unwrap_or_default();
    let kind = problem.kind.as_deref().unwrap_or_default();
    let text = match kind.strip_prefix(PROBLEM)? {
        "not-found" | "method-not-allowed" if detail.contains("path") => {
            "this stack is older than this command: deploy the version that the command is from"
        }
        "not-found" if detail.contains("subscription") => {
            "`webhooks subscriptions list CUSTOMER` shows those of a customer"
        }
        "not-found" if detail.contains("message") => {
            "an event takes about a second to become a message, and becomes none when its customer \
             has no subscription. `webhooks messages list CUSTOMER` shows what there is, \
             `webhooks dlq list` what could not be processed"
        }
        "not-found" if detail.contains("delivery") => {
            "`webhooks deliveries list CUSTOMER` shows those of a customer"
        }
        "not-found" if detail.contains("recovery") => {
            "`webhooks recoveries list CUSTOMER SUBSCRIPTION` shows those of a subscription"
        }
        "subscription-not-active" => {
            "`webhooks subscriptions enable CUSTOMER SUBSCRIPTION` makes it active"
        }
        "precondition-failed" => {
            "somebody else has changed it: `webhooks subscriptions show` has its version now"
        }
        "idempotency-key-reused" => {
            "take another key for another subscription, or repeat the first command as it was"
        }
        "subscription-broken" => "`webhooks subscriptions update` with the named fields repairs it",
        "delivery-broken" | "recovery-broken" | "item-broken" => {
            "it is mended in the table: docs/operations.md, \"An item cannot be read\""
        }
        "unavailable" => "try again in a moment",
        "unreadable" => "somebody has to look at the log of the API's function",
        "invalid-field" => match problem.field.as_deref() {
            Some("cursor") => "a cursor goes with the list and the filters that it came from",
            Some("deliveryId") if detail.contains("`msg_") => {
                "that is a message: `webhooks messages show` has its deliveries"
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
            kind: Some(format!("{PROBLEM}{kind}")),
            title: "Title".to_owned(),
            status: 404,
            detail: Some(detail.to_owned()),
            field: field.map(str::to_owned),
        })
    }

    #[test]
    fn an_error_says_what_is_wrong_and_then_what_to_do() {
        let error = advise(problem("not-found", "there is no message `msg_1`", None));
        let text = format!("{error:#}");
        assert!(text.starts_with("404 Title: there is no message `msg_1`\n  an event takes"));
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
