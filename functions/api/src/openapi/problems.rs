//! The problems that an operation may answer with.

use serde_json::json;
use utoipa::Modify;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use super::tidy::operations;

/// The problems that every operation of a kind may answer with, told once.
pub(crate) struct Problems;

impl Problems {
    /// Name, status, what it means, and an example of `type` and `field`.
    const ALL: [(&str, &str, &str, &str, Option<&str>); 8] = [
        (
            "BadParameter",
            "400",
            "A part of the path, a parameter or a header is not valid.",
            "invalid-field",
            Some("limit"),
        ),
        (
            "NotFound",
            "404",
            "There is no such thing.",
            "not-found",
            None,
        ),
        (
            "Conflict",
            "409",
            "Somebody else was quicker, the idempotency key has created something else, the customer has as many subscriptions or the catalogue as many types as it may, or too many to sum up, what is asked for is turned off, or what is needed cannot be read.",
            "conflict",
            None,
        ),
        (
            "PreconditionFailed",
            "412",
            "`If-Match` names another version.",
            "precondition-failed",
            None,
        ),
        (
            "TooLarge",
            "413",
            "The body has more than 65,536 bytes.",
            "invalid-field",
            Some("body"),
        ),
        (
            "InvalidField",
            "422",
            "A field of the body is not valid.",
            "invalid-field",
            Some("url"),
        ),
        (
            "Unreadable",
            "500",
            "The stack's data key cannot be read: trying again does not help.",
            "unreadable",
            None,
        ),
        (
            "Unavailable",
            "503",
            "The table or KMS did not answer: try again.",
            "unavailable",
            None,
        ),
    ];

    fn response(status: &str, description: &str, kind: &str, field: Option<&str>) -> Response {
        let mut example = json!({
            "type": format!("urn:webhooks:problem:{kind}"),
            "title": kind.replace('-', " "),
            "status": status.parse::<u16>().unwrap(),
            "detail": "what is wrong, in words",
        });
        if let Some(field) = field {
            example["field"] = json!(field);
        }
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("Problem")))
            .example(Some(example))
            .build();
        ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", content)
            .build()
    }

    /// The statuses of the problems that an operation may answer with.
    fn statuses(path: &str, operation: &Operation) -> Vec<&'static str> {
        let parameters: Vec<_> = operation.parameters.iter().flatten().collect();
        let has = |name: &str| {
            parameters
                .iter()
                .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
        };
        let names_one = [
            "{subscriptionId}",
            "{messageId}",
            "{deliveryId}",
            "{recoveryId}",
            "{sessionId}",
            "/event-types/{name}",
        ];
        let names_one =
            names_one.iter().any(|name| path.contains(name)) || path.ends_with("/{customerId}");
        let reads_table = ["/customers", "/event-types"]
            .iter()
            .any(|start| path.starts_with(start))
            || path.contains('{');
        let takes_body = operation.request_body.is_some();
        let all = [
            ("400", true),
            ("404", names_one),
            (
                "409",
                names_one || has("Idempotency-Key") || path.ends_with("/statistics"),
            ),
            ("412", has("If-Match")),
            ("413", takes_body),
            ("422", takes_body),
            ("500", reads_table),
            ("503", reads_table),
        ];
        let answered = all.into_iter().filter(|(_, answers)| *answers);
        answered.map(|(status, _)| status).collect()
    }
}

impl Modify for Problems {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        for (name, status, description, kind, field) in Self::ALL {
            let response = Self::response(status, description, kind, field);
            components
                .responses
                .insert(name.to_owned(), response.into());
        }
        let not_signed = "Not signed, or not allowed. The body is AWS's own.";
        let not_signed = ResponseBuilder::new().description(not_signed).build();
        components
            .responses
            .insert("Forbidden".to_owned(), not_signed.into());
        for (path, item) in &mut document.paths.paths {
            for operation in operations(item) {
                let statuses = Self::statuses(path, operation);
                let all = operation.responses.responses.entry("403".to_owned());
                all.or_insert_with(|| Ref::from_response_name("Forbidden").into());
                for (name, status, ..) in Self::ALL {
                    if statuses.contains(&status) {
                        let said = operation.responses.responses.entry(status.to_owned());
                        said.or_insert_with(|| Ref::from_response_name(name).into());
                    }
                }
            }
        }
    }
}
