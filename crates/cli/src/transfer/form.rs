//! The form in which values are compared: the one in which the API shows them. So the same value in
//! another form is no difference.

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use webhooks_client::{NewCustomer, SubscriptionPatch};
use webhooks_domain::contact::EmailAddress;
use webhooks_domain::event_type::EventTypePatterns;
use webhooks_domain::outbound::{DevelopmentNetworks, EndpointUrl};
use webhooks_domain::payload_shape::ContentType;
use webhooks_domain::retry::RetryPolicy;
use webhooks_domain::signing::Secret;

use super::{Fields, IMPORTED_FROM, raw};

/// The depth of JSON below which only texts are compared. A filter is less deep.
const MAX_DEPTH: usize = 64;

/// The value of a subscription's field. `None` for the default, which is not shown.
pub(super) fn of_subscription(name: &str, json: &RawValue) -> Option<Value> {
    let form = match (name, typed::<SubscriptionPatch>(name, json)) {
        ("filter", _) => exact(json, MAX_DEPTH),
        ("url", Value::String(text)) => {
            let url = endpoint(&text);
            Value::String(url.map_or(text, |url| url.as_str().to_owned()))
        }
        ("eventTypes", types) => through::<EventTypePatterns>(types),
        ("retryPolicy", policy) => through::<RetryPolicy>(policy),
        ("contentType", Value::String(text)) => {
            let known = ContentType::parse(&text);
            Value::String(known.map_or(text, |known| known.as_str().to_owned()))
        }
        ("headers", Value::Object(headers)) => {
            let headers = headers.into_iter().filter(|(_, value)| !value.is_null());
            headers
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect()
        }
        ("metadata", Value::Object(mut entries)) => {
            entries.retain(|name, value| name != IMPORTED_FROM && !value.is_null());
            Value::Object(entries)
        }
        // The system disables a subscription; a request can only pause it.
        ("status", Value::String(text)) if text == "disabled" => json!("paused"),
        ("method", Value::String(text)) if text == "POST" => Value::Null,
        (_, value) => value,
    };
    not_default(form)
}

/// The value of a customer's field. `None` for the default, which is not shown.
pub(super) fn of_customer(name: &str, json: &RawValue) -> Option<Value> {
    let form = match (name, typed::<NewCustomer>(name, json)) {
        // Shown with their states. A request gives addresses, which count as confirmed.
        ("contacts", Value::Array(contacts)) => {
            let is_given = |contact: &Value| contact.get("state").is_none_or(|s| s == "confirmed");
            let contacts = contacts.into_iter().filter(is_given);
            let addresses = contacts.map(|shown| shown.get("address").cloned().unwrap_or(shown));
            let known = |address: &Value| address.as_str()?.parse::<EmailAddress>().ok();
            addresses
                .map(|address| known(&address).map_or(address, |known| json!(known.as_str())))
                .collect()
        }
        (_, value) => value,
    };
    not_default(form)
}

/// The URL of an endpoint. `None` if it is not one.
pub(super) fn endpoint(text: &str) -> Option<EndpointUrl> {
    // A development network may permit what the rules refuse. Such a URL has an address, so its
    // canonical form is that of the parser.
    let checked = EndpointUrl::parse(text, &DevelopmentNetworks::none());
    checked.ok().or_else(|| EndpointUrl::from_stored(text))
}

/// Returns true if both texts are the same signing secret.
pub(super) fn is_same_secret(one: &str, other: &str) -> bool {
    match (one.parse::<Secret>(), other.parse::<Secret>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

/// The value, read and written by the type of the API. A value that the type does not have, such as
/// the status `disabled`, stays as it is.
fn typed<T>(name: &str, json: &RawValue) -> Value
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let field = raw(&Fields::from([(name.to_owned(), json.to_owned())]));
    let typed = serde_json::from_str::<T>(field.get());
    let form = typed
        .ok()
        .and_then(|typed| serde_json::to_value(typed).ok());
    form.and_then(|mut form| form.get_mut(name).map(Value::take))
        .unwrap_or_else(|| value(json))
}

/// The value, read and written by a type of the domain. It stays as it is if the type refuses it.
fn through<T>(given: Value) -> Value
where
    T: serde::Serialize + serde::de::DeserializeOwned,
{
    let typed = serde_json::from_value::<T>(given.clone()).ok();
    let form = typed.and_then(|typed| serde_json::to_value(typed).ok());
    form.unwrap_or(given)
}

fn not_default(form: Value) -> Option<Value> {
    let is_default = match &form {
        Value::Null => true,
        Value::Array(entries) => entries.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(_) | Value::Bool(_) | Value::Number(_) => false,
    };
    (!is_default).then_some(form)
}

/// The value of a JSON text.
pub(super) fn value(json: &RawValue) -> Value {
    serde_json::from_str(json.get()).unwrap_or_default()
}

/// JSON in which equal numbers are the same text, however large they are. Strings have a quote, so
/// that none is the same as a number.
fn exact(json: &RawValue, depth: usize) -> Value {
    let text = json.get();
    let form = match (text.as_bytes().first(), depth) {
        (_, 0) => None,
        (Some(b'{'), _) => serde_json::from_str::<Fields>(text).ok().map(|members| {
            let members = members.into_iter();
            let members = members.map(|(name, json)| (name, exact(&json, depth - 1)));
            Value::Object(members.collect::<Map<_, _>>())
        }),
        (Some(b'['), _) => serde_json::from_str::<Vec<Box<RawValue>>>(text)
            .ok()
            .map(|entries| entries.iter().map(|json| exact(json, depth - 1)).collect()),
        (Some(b'"'), _) => serde_json::from_str::<String>(text)
            .ok()
            .map(|text| Value::String(format!("\"{text}"))),
        (Some(b'-' | b'0'..=b'9'), _) => Some(Value::String(decimal(text))),
        _ => serde_json::from_str(text).ok(),
    };
    form.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The number without the zeros that do not change it: its digits and its exponent.
fn decimal(text: &str) -> String {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let Ok(exponent) = exponent.parse::<i64>() else {
        return text.to_owned();
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let count = |of: usize| i64::try_from(of).unwrap_or(i64::MAX);
    let zeros = count(digits.len() - significant.len());
    let exponent = exponent
        .saturating_add(zeros)
        .saturating_sub(count(fraction.len()));
    format!("{sign}{significant}e{exponent}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_value_has_the_form_in_which_the_api_shows_it() {
        for (name, given, shown) in [
            (
                "url",
                r#""HTTPS://A.example.:443""#,
                r#""https://a.example/""#,
            ),
            ("url", r#""http://127.0.0.1:80""#, r#""http://127.0.0.1/""#),
            ("eventTypes", r#"["b","a","b"]"#, r#"["b","a"]"#),
            ("filter", r#"{ "n": [ 1.50, 1e2 ] }"#, r#"{"n":[1.5,100]}"#),
            ("filter", r#"{"n":[1e400]}"#, r#"{"n":[10e399]}"#),
            (
                "contentType",
                r#""Text/Plain ;Charset=UTF-8""#,
                r#""text/plain; charset=utf-8""#,
            ),
            ("timeoutSeconds", "7.0", "7"),
            ("rateLimitPerSecond", "1e1", "10"),
            ("maxInFlight", "2.0", "2"),
            (
                "retryPolicy",
                r#"{"maxAttempts":5.0,"intervalSeconds":10,"backoffRate":2,"maxDelaySeconds":6e2}"#,
                r#"{"maxAttempts":5,"intervalSeconds":10,"backoffRate":2.0,"maxDelaySeconds":600,"jitter":0.1}"#,
            ),
            (
                "retryPolicy",
                r#"{"schedule":[0,5.0],"jitter":null}"#,
                r#"{"schedule":[0,5],"jitter":0.1}"#,
            ),
            (
                "transform",
                r#"{"template":"{}"}"#,
                r#"{"paths":{},"template":"{}"}"#,
            ),
            ("headers", r#"{"X-A":"1","x-b":null}"#, r#"{"x-a":"1"}"#),
            (
                "metadata",
                r#"{"a":"1","b":null}"#,
                r#"{"a":"1","importedFrom":"ep_1"}"#,
            ),
            ("status", r#""paused""#, r#""disabled""#),
        ] {
            let [given, shown] = [given, shown].map(json);
            let form = of_subscription(name, &given);
            assert!(form.is_some(), "{name}");
            assert_eq!(form, of_subscription(name, &shown), "{name}");
        }
        for (name, given, shown) in [
            ("maxSubscriptions", "5.0", "5"),
            (
                "contacts",
                r#"["Ops@EXAMPLE.com"]"#,
                r#"[{"address":"Ops@example.com","state":"confirmed"}]"#,
            ),
        ] {
            let [given, shown] = [given, shown].map(json);
            let form = of_customer(name, &given);
            assert!(form.is_some(), "{name}");
            assert_eq!(form, of_customer(name, &shown), "{name}");
        }
    }

    #[test]
    fn a_value_that_differs_has_another_form() {
        for (name, one, other) in [
            ("url", r#""https://a.example/""#, r#""https://a.example/x""#),
            ("eventTypes", r#"["a"]"#, r#"["a","b"]"#),
            ("filter", r#"{"n":["1"]}"#, r#"{"n":[1]}"#),
            ("filter", r#"{"n":[1e400]}"#, r#"{"n":[1e401]}"#),
            (
                "filter",
                r#"{"n":[12345678901234567890123]}"#,
                r#"{"n":[12345678901234567890124]}"#,
            ),
            ("filter", r#"{"n":[null]}"#, r#"{"n":[false]}"#),
            (
                "contentType",
                r#""text/plain""#,
                r#""text/plain; charset=utf-8""#,
            ),
            (
                "retryPolicy",
                r#"{"schedule":[0]}"#,
                r#"{"schedule":[0],"jitter":0}"#,
            ),
            ("metadata", r#"{"a":"1"}"#, r#"{"A":"1"}"#),
        ] {
            let [one, other] = [one, other].map(json);
            assert_ne!(of_subscription(name, &one), of_subscription(name, &other));
        }
    }

    #[test]
    fn a_default_has_no_form() {
        for (name, default) in [
            ("method", r#""POST""#),
            ("filter", "null"),
            ("metadata", r#"{"importedFrom":"ep_1"}"#),
            ("headers", r#"{"x-a":null}"#),
            ("payloadFields", "null"),
        ] {
            assert_eq!(of_subscription(name, &json(default)), None, "{name}");
        }
    }

    #[test]
    fn a_filter_that_is_too_deep_is_compared_as_text() {
        let deep = |text: &str| {
            json(&format!(
                "{}{text}{}",
                "[".repeat(10_000),
                "]".repeat(10_000)
            ))
        };
        let form = |text| of_subscription("filter", &deep(text));
        assert!(form("1").is_some() && form("1") == form("1") && form("1") != form("2"));
    }

    #[test]
    fn the_same_secret_may_be_written_without_padding() {
        let (padded, bare) = (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfI=",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfI",
        );
        assert!(is_same_secret(padded, bare));
        assert!(!is_same_secret(
            padded,
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        ));
        assert!(is_same_secret("x", "x") && !is_same_secret("x", "y"));
    }
}
