//! The part of the form that shapes payloads and requests.

use maud::{Markup, html};
use webhooks_api_types::PayloadFormat;

use super::form::Draft;
use super::settings::format_words;
use crate::endpoint_form::ShapeForm;
use crate::fields::Field;
use crate::text::{beginning, foreign};

/// The bytes of a tried body that the page shows.
const MADE_BODY_BYTES: usize = 64 * 1_024;

pub(super) fn fields(draft: &Draft) -> Markup {
    let (form, problem) = (&draft.form, draft.problem.as_ref());
    let formats = PayloadFormat::ALL.map(|format| (format.to_string(), format_words(format)));
    html! {
        fieldset {
            legend { "Body" }
            (Field::new("payloadFormat", "Content").problem(problem)
                .select(formats, &form.payload_format))
            details open[is_open(draft)] {
                summary { "Chosen fields, a template, and the request" }
                (shape(draft))
            }
            @if let Some(made) = &draft.made {
                @let (shown, is_whole) = beginning(&made.body, MADE_BODY_BYTES);
                div .flash.good role="status" {
                    p { "The body, as " (foreign(&made.content_type)) ":" }
                    pre { (foreign(shown)) }
                    @if !is_whole {
                        p { "Only the beginning is shown." }
                    }
                }
            }
        }
    }
}

fn shape(draft: &Draft) -> Markup {
    let (shape, problem) = (&draft.form.shape, draft.problem.as_ref());
    html! {
        (Field::new("payloadFields", "Chosen fields of the data").problem(problem).help(html! {
            "One a line, as " code { "/order/id" } "."
        }).area(2, &shape.fields))
        (Field::new("transformPaths", "Values of the event").problem(problem).help(html! {
            "One a line, as " code { "total: $.detail.order.total" } "."
        }).area(3, &shape.paths))
        (Field::new("transform", "Template").problem(problem).help(html! {
            "With a value as " code { r#"{"text": "An order of <total>"}"# } "."
        }).area(5, &shape.template))
        (Field::new("example", "Event type to try the template on").problem(problem).help(html! {
            "Its first example is used. Empty: the event of the filter."
        }).text(&draft.form.example))
        button type="submit" name="button" value="tryTransform" { "Try the template" }
        (Field::new("contentType", "Content type").problem(problem).help(html! {
            "Empty: as the content has it, mostly " code { "application/json" } "."
        }).text(&shape.content_type))
        (Field::new("method", "Method").problem(problem)
            .select(ShapeForm::methods(), &shape.method))
        (Field::new("queryParameters", "Query parameters").problem(problem).help(html! {
            "One a line, as " code { "name: value" } ". They are added to the URL, and are not secret."
        }).area(2, &shape.query))
    }
}

/// Returns true if one of the fields has something to show.
fn is_open(draft: &Draft) -> bool {
    let names = [
        "payloadFields",
        "transformPaths",
        "transform",
        "example",
        "contentType",
        "method",
        "queryParameters",
    ];
    let problem = draft.problem.as_ref();
    let shape = ShapeForm {
        method: String::new(),
        ..draft.form.shape.clone()
    };
    draft.made.is_some()
        || shape != ShapeForm::default()
        || problem.is_some_and(|problem| names.iter().any(|name| problem.is_of(name)))
}
