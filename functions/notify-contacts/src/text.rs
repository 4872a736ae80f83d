//! The texts of messages. All that a customer has chosen, which is the URL of an endpoint only, is
//! cleaned and shortened. The name of the service, which the operator has chosen, keeps its letters.
//! Subjects are fixed texts, and senders have no name, so no header needs an encoding.

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

    /// The name of the service, in any script, in one line.
    fn service(&self) -> String {
        let name = self.service.as_deref().unwrap_or_default();
        let is_shown = |letter: &char| !letter.is_control() && !is_format(*letter);
        let shown: String = name.chars().filter(is_shown).take(MAX_CHARS).collect();
        match shown.trim() {
            "" => "Webhooks".to_owned(),
            shown => shown.to_owned(),
        }
    }

    fn text(&self, digest: &Digest, contact: &EmailAddress) -> String {
        let service = self.service();
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

/// The subject, by the kinds of warnings.
fn subject(warnings: &[Warning]) -> &'static str {
    let all = |is: fn(Step) -> bool| warnings.iter().all(|warning| is(warning.step));
    let fails = |step| {
        matches!(
            step,
            Step::FailingForAnHour | Step::FailingForADay | Step::HalfTimeToDisabling
        )
    };
    let expires = |step| matches!(step, Step::CertificateExpires | Step::CertificateExpired);
    if all(|step| step == Step::Recovered) {
        "Your webhook endpoint works again"
    } else if all(|step| step == Step::Disabled) {
        "Your webhook endpoint is disabled"
    } else if all(fails) {
        "Your webhook endpoint is failing"
    } else if all(expires) {
        "The client certificate for your webhook endpoint ends"
    } else {
        "News about your webhook endpoints"
    }
}

fn about(number: usize, warning: &Warning) -> String {
    let mut text = String::new();
    let since = warning.failing_since.as_deref().map(clean);
    let since = since.map(|since| format!(", since {since}"));
    let since = since.unwrap_or_default();
    let ends = warning.certificate_not_after.as_deref().map(clean);
    let ends = ends.map(|at| format!(" at {at}")).unwrap_or_default();
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
        (Step::CertificateExpires, _) => {
            format!("The client certificate that we present to it ends{ends}. Replace it before.")
        }
        (Step::CertificateExpired, _) => {
            format!("The client certificate that we present to it has ended{ends}. Replace it.")
        }
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
        Outcome::NoToken => "no access token",
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

/// Returns true for a format character of Unicode (category Cf), and for a separator of lines or
/// paragraphs. They change the order of the letters around them, are invisible, or begin a line.
fn is_format(letter: char) -> bool {
    matches!(
        u32::from(letter),
        0xad | 0x0600..=0x0605
            | 0x061c
            | 0x06dd
            | 0x070f
            | 0x0890..=0x0891
            | 0x08e2
            | 0x180e
            | 0x200b..=0x200f
            | 0x2028..=0x202e
            | 0x2060..=0x206f
            | 0xfeff
            | 0xfff9..=0xfffb
            | 0x0001_10bd
            | 0x0001_10cd
            | 0x0001_3430..=0x0001_343f
            | 0x0001_bca0..=0x0001_bca3
            | 0x0001_d173..=0x0001_d17a
            | 0x000e_0000..=0x000e_007f
    )
}

/// A text in one line of visible ASCII characters and spaces, and not too long.
fn clean(text: &str) -> String {
    let is_shown = |letter: &char| letter.is_ascii_graphic() || *letter == ' ';
    let mut shown: String = text.chars().filter(is_shown).take(MAX_CHARS + 1).collect();
    if shown.len() > MAX_CHARS {
        shown.truncate(MAX_CHARS);
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
    fn the_name_of_the_service_keeps_its_letters_and_adds_no_line() {
        for (name, shown) in [
            (None, "Webhooks"),
            (Some("Zürich Pay"), "Zürich Pay"),
            (Some("株式会社"), "株式会社"),
            (
                Some("  Example\u{202e}\u{200b}\r\nPay\u{2028} "),
                "ExamplePay",
            ),
            (Some("\u{200b}\u{feff} \t"), "Webhooks"),
        ] {
            let texts = Texts {
                service: name.map(str::to_owned),
                portal: None,
            };
            let digest = Digest {
                customer: "cust_1001".parse().unwrap(),
                contacts: Vec::new(),
                warnings: vec![warning(|_| {})],
                messages: Vec::new(),
            };
            let text = texts.text(&digest, &"ops@example.com".parse().unwrap());
            let expected = format!("{shown} has news about your webhook endpoints.");
            assert_eq!(text.lines().next(), Some(&*expected), "{name:?}");
        }
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
                &["certificateExpires", "certificateExpired"],
                "The client certificate for your webhook endpoint ends",
            ),
            (
                &["failingForADay", "certificateExpires"],
                "News about your webhook endpoints",
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
    fn a_message_says_when_a_client_certificate_ends() {
        let of = |step: &str| {
            let warning = warning(|detail| {
                detail["step"] = json!(step);
                detail["certificateNotAfter"] = json!("2026-06-01T00:00:00.000Z");
            });
            message(vec![warning]).text
        };
        let (before, after) = (of("certificateExpires"), of("certificateExpired"));
        assert!(
            before.contains("ends at 2026-06-01T00:00:00.000Z."),
            "{before}"
        );
        assert!(
            after.contains("has ended at 2026-06-01T00:00:00.000Z."),
            "{after}"
        );
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
