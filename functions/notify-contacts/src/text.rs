//! The texts of messages. All that a customer has chosen, which is the URL of an endpoint only, is
//! cleaned and shortened. Subjects are fixed texts.

use std::fmt::Write;

use webhooks_domain::contact::EmailAddress;
use webhooks_domain::portal_session::Origin;

use crate::digest::Digest;
use crate::mailer::Message;
use crate::warning::{LastAttempt, Outcome, Reason, Step, Warning};

/// The largest number of warnings in one message.
const MAX_SHOWN: usize = 20;
/// The largest number of characters of a text from an event.
const MAX_CHARS: usize = 200;
/// The largest number of characters of a link of ours.
const MAX_LINK_CHARS: usize = 1_000;

/// The settings of the texts.
#[derive(Debug)]
pub(crate) struct Texts {
    /// The name of the service.
    pub(crate) service: Option<String>,
    /// The portal.
    pub(crate) portal: Option<Origin>,
}

impl Texts {
    /// The message to one contact.
    pub(crate) fn message(&self, digest: &Digest, contact: &EmailAddress) -> Message {
        Message {
            to: contact.clone(),
            subject: subject(&digest.warnings),
            text: self.text(digest, contact),
        }
    }

    fn text(&self, digest: &Digest, contact: &EmailAddress) -> String {
        let service = clean(self.service.as_deref().unwrap_or("Webhooks"));
        let customer = clean(digest.customer.as_str());
        let mut text = format!("{service} has news about your webhook endpoints.\n");
        for (number, warning) in (1..).zip(digest.warnings.iter().take(MAX_SHOWN)) {
            text.push_str(&about(number, warning));
        }
        let rest = digest.warnings.len().saturating_sub(MAX_SHOWN);
        if rest > 0 {
            line(&mut text, format_args!("\n… and {rest} more."));
        }
        text.push_str("\n--\n");
        if let Some(portal) = &self.portal {
            line(
                &mut text,
                format_args!("Your endpoints and their deliveries: {portal}"),
            );
        }
        line(
            &mut text,
            format_args!(
                "You get this message because {} is a contact of the customer {customer}. To get \
                 no more of them, ask the sender to remove this contact.",
                contact.as_str()
            ),
        );
        text
    }
}

/// The message that asks for a confirmation. It has no text of the customer: otherwise the customer
/// could send it to strangers.
pub(crate) fn confirmation(texts: &Texts, address: &EmailAddress, link: &str) -> Message {
    let service = clean(texts.service.as_deref().unwrap_or("Webhooks"));
    Message {
        to: address.clone(),
        subject: "Confirm your e-mail address",
        text: format!(
            "\
Somebody has entered this address as a contact for webhooks of {service}. To get a message when an \
endpoint fails, open this link within a day and confirm it there:

{}

If you do not know about this, do nothing: you get no other message.
",
            shortened(link, MAX_LINK_CHARS)
        ),
    }
}

/// The subject, by the kinds of warnings.
fn subject(warnings: &[Warning]) -> &'static str {
    let all = |is: fn(Step) -> bool| warnings.iter().all(|warning| is(warning.step));
    let fails = |step| !matches!(step, Step::Disabled | Step::Recovered);
    if all(|step| step == Step::Recovered) {
        "Your webhook endpoint works again"
    } else if all(|step| step == Step::Disabled) {
        "Your webhook endpoint is disabled"
    } else if all(fails) {
        "Your webhook endpoint is failing"
    } else {
        "News about your webhook endpoints"
    }
}

fn about(number: usize, warning: &Warning) -> String {
    let mut text = String::new();
    let since = warning.failing_since.as_deref().map(clean);
    let since = since.map(|since| format!(", since {since}"));
    let since = since.unwrap_or_default();
    line(
        &mut text,
        format_args!("\n{number}. {}", clean(&warning.endpoint)),
    );
    let happened = match (warning.step, warning.reason) {
        (Step::FailingForAnHour, _) => format!("It has been failing for an hour{since}."),
        (Step::FailingForADay, _) => format!("It has been failing for a day{since}."),
        (Step::HalfTimeToDisabling, _) => {
            format!("It is still failing{since}. Half of the time until it is disabled is over.")
        }
        (Step::Disabled, Some(Reason::EndpointGone)) => {
            "It is disabled, because it answered that it is gone (HTTP status 410).".to_owned()
        }
        (Step::Disabled, _) => format!("It is disabled, because it has been failing{since}."),
        (Step::Recovered, _) => "It accepts webhooks again.".to_owned(),
    };
    line(&mut text, format_args!("   {happened}"));
    if warning.step == Step::Disabled {
        line(
            &mut text,
            format_args!("   Its webhooks are kept, and can be sent once it is enabled again."),
        );
    }
    if let Some(at) = &warning.disabled_at {
        let at = clean(at);
        line(
            &mut text,
            format_args!("   If it goes on failing, it is disabled at {at}."),
        );
    }
    line(
        &mut text,
        format_args!("   Last attempt: {}.", attempt(&warning.last_attempt)),
    );
    line(
        &mut text,
        format_args!("   Subscription: {}", warning.subscription_id),
    );
    text
}

fn attempt(attempt: &LastAttempt) -> String {
    let outcome = match attempt.outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::HttpError => "HTTP error",
        Outcome::TimedOut => "timed out",
        Outcome::Unreachable => "unreachable",
        Outcome::Blocked => "blocked",
    };
    let at = clean(&attempt.at);
    match attempt.status {
        Some(status) => format!("{at}, {outcome}, HTTP status {status}"),
        None => format!("{at}, {outcome}"),
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").expect("a text takes every line");
}

/// A text in one line of visible ASCII characters and spaces, and not too long.
fn clean(text: &str) -> String {
    shortened(text, MAX_CHARS)
}

fn shortened(text: &str, max_chars: usize) -> String {
    let is_shown = |letter: &char| letter.is_ascii_graphic() || *letter == ' ';
    let mut shown: String = text.chars().filter(is_shown).take(max_chars + 1).collect();
    if shown.len() > max_chars {
        shown.truncate(max_chars);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn warning(change: impl Fn(&mut Value)) -> Warning {
        let sample = include_str!("../../../events/operational/subscription.warning.json");
        let mut event: Value = serde_json::from_str(sample).unwrap();
        change(&mut event["detail"]);
        Warning::read(&event.to_string()).unwrap()
    }

    fn message(warnings: Vec<Warning>) -> Message {
        let contact = "ops@example.com".parse().unwrap();
        let digest = Digest {
            customer: "cust_1001".parse().unwrap(),
            contacts: Vec::new(),
            warnings,
            messages: Vec::new(),
        };
        let texts = Texts {
            service: Some("Example".to_owned()),
            portal: Some("https://webhooks.example.com".parse().unwrap()),
        };
        texts.message(&digest, &contact)
    }

    #[test]
    fn a_message_says_what_fails_since_when_and_what_follows() {
        let message = message(vec![warning(|_| {})]);
        assert_eq!(message.subject, "Your webhook endpoint is failing");
        assert_eq!(
            message.text,
            "\
Example has news about your webhook endpoints.

1. https://example.com/webhooks
   It has been failing for an hour, since 2026-05-07T14:01:10.512Z.
   If it goes on failing, it is disabled at 2026-05-12T14:01:10.512Z.
   Last attempt: 2026-05-07T15:02:44.090Z, HTTP error, HTTP status 500.
   Subscription: sub_3f1d2b7c9a4e4d0f8a6b5c4d3e2f1a0b

--
Your endpoints and their deliveries: https://webhooks.example.com
You get this message because ops@example.com is a contact of the customer cust_1001. To get no \
more of them, ask the sender to remove this contact.
"
        );
    }

    #[test]
    fn the_subject_is_a_fixed_text() {
        let step = |step: &str| warning(|detail| detail["step"] = json!(step));
        for (steps, expected) in [
            (&["recovered"][..], "Your webhook endpoint works again"),
            (
                &["disabled", "disabled"],
                "Your webhook endpoint is disabled",
            ),
            (
                &["failingForADay", "halfTimeToDisabling"],
                "Your webhook endpoint is failing",
            ),
            (
                &["failingForADay", "recovered"],
                "News about your webhook endpoints",
            ),
        ] {
            let warnings = steps.iter().map(|name| step(name)).collect();
            assert_eq!(message(warnings).subject, expected);
        }
    }

    #[test]
    fn a_text_of_the_customer_adds_no_line_and_no_invisible_character() {
        let hostile = "https://example.com/\r\n\nBcc: victim@example.com\u{202e}\u{0}\u{1b}[31m";
        let shown = message(vec![warning(|detail| detail["endpoint"] = json!(hostile))]);
        let plain = message(vec![warning(|_| {})]);
        assert_eq!(shown.text.lines().count(), plain.text.lines().count());
        let visible = |letter: char| letter == '\n' || letter == ' ' || letter.is_ascii_graphic();
        assert!(shown.text.chars().all(visible), "{}", shown.text);
        let long = format!("https://example.com/{}", "x".repeat(10_240));
        let shown = message(vec![warning(|detail| detail["endpoint"] = json!(long))]);
        assert!(shown.text.len() < plain.text.len() + 200, "{}", shown.text);
    }

    #[test]
    fn a_message_has_a_bound_whatever_the_number_of_warnings() {
        let many = |count: usize| {
            let warnings = (0..count).map(|number| {
                warning(|detail| {
                    let endpoint = format!("https://example.com/{number}/{}", "x".repeat(300));
                    detail["endpoint"] = json!(endpoint);
                })
            });
            message(warnings.collect()).text
        };
        assert!(many(100).len() <= many(20).len() + 30);
        assert!(many(100).contains("… and 80 more."));
    }
}
