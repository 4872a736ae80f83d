//! Filters compared with another matcher: the emulator's `TestEventPattern`.
//!
//! Neither matcher is AWS's. But different people wrote them, after AWS's documentation and its
//! open matcher, so a result on which both agree is rarely wrong. If they disagree, AWS's
//! documentation decides: [`DIFFERENCES`] lists each such case.

mod generate;

use std::collections::HashMap;
use std::env;

use anyhow::{Context, Result, ensure};
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::error::ProvideErrorMetadata;
use bytes::Bytes;
use futures_util::stream::{StreamExt, iter};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_client::Stack;
use webhooks_domain::filter::Filter;

use self::generate::{Generator, Operator, Pair};
use crate::fixture::Fixture;

/// The number of generated pairs.
const PAIRS: usize = 2_000;
/// The number of pairs that are sent to the API too.
const PAIRS_OF_THE_API: usize = 60;
/// The number of pairs whose pattern may be refused as too complex, because `$or` and absent fields
/// multiply.
const TOO_COMPLEX: usize = PAIRS / 100;
/// The number of concurrent calls.
const AT_ONCE: usize = 8;
/// The environment variable that sets another seed, a number.
const SEED: &str = "WEBHOOKS_FILTER_SEED";

/// The emulator's matcher.
struct Emulator(Client);

impl Emulator {
    fn of(stack: &Stack) -> Self {
        Self(Client::new(stack.sdk_config()))
    }

    /// `Some(true)` if a pattern over the detail matches a payload, and `None` if it is not a valid
    /// pattern.
    async fn matches(&self, pattern: &str, payload: &str) -> Result<Option<bool>> {
        let event = format!(
            r#"{{"version":"0","id":"1","detail-type":"order.created","source":"com.example.shop",
                "account":"000000000000","time":"2026-01-02T03:04:05Z","region":"us-east-1",
                "resources":[],"detail":{payload}}}"#
        );
        let answer = self
            .0
            .test_event_pattern()
            .event_pattern(format!(r#"{{"detail":{pattern}}}"#))
            .event(event)
            .send()
            .await;
        match answer {
            Ok(output) => Ok(Some(output.result())),
            Err(error) if error.code() == Some("InvalidEventPatternException") => Ok(None),
            Err(error) => Err(error).context(format!("{pattern} {payload}")),
        }
    }
}

/// Matches by the domain. Returns `Err` with the problem if it is not a valid filter.
fn domain_matches(pattern: &str, payload: &str) -> Result<bool, String> {
    let filter = Filter::parse(pattern).map_err(|error| error.to_string())?;
    Ok(filter.matches(payload).unwrap())
}

fn seed() -> Result<u64> {
    match env::var(SEED) {
        Ok(seed) => seed.parse().with_context(|| format!("{SEED}={seed}")),
        Err(_) => Ok(1),
    }
}

fn pairs(seed: u64) -> Vec<Pair> {
    let mut generator = Generator::new(seed);
    (0..PAIRS).map(|_| generator.pair()).collect()
}

#[tokio::test]
async fn filters_match_as_the_emulators_patterns_do() -> Result<()> {
    let test = Fixture::new("filters").await?;
    let emulator = Emulator::of(&test.stack);
    let seed = seed()?;
    let pairs = pairs(seed);
    let answers = iter(&pairs).map(|pair| emulator.matches(&pair.pattern, &pair.payload));
    let answers: Vec<_> = answers.buffered(AT_ONCE).collect().await;
    let (mut wrong, mut too_complex) = (Vec::new(), 0);
    let mut results = HashMap::<Operator, [u32; 2]>::new();
    for (number, (pair, there)) in pairs.iter().zip(answers).enumerate() {
        let Pair {
            pattern, payload, ..
        } = pair;
        let there = there?;
        match domain_matches(pattern, payload) {
            Ok(here) => {
                let agree = there == Some(here);
                if !agree && !DIFFERENCES.iter().any(|known| known.is_in(pair, here)) {
                    wrong.push(format!(
                        "{number}: here {here}, there {there:?}\n  {pattern}\n  {payload}"
                    ));
                }
                for operator in &pair.operators {
                    results.entry(*operator).or_default()[usize::from(here)] += 1;
                }
            }
            Err(problem) if problem.starts_with("is too complex") => too_complex += 1,
            Err(problem) => wrong.push(format!("{number}: {problem}\n  {pattern}")),
        }
    }
    ensure!(
        wrong.is_empty(),
        "of {PAIRS} pairs with {SEED}={seed} these {} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    // A broken generator would make a test that compares nothing.
    assert!(too_complex <= TOO_COMPLEX, "{too_complex} are too complex");
    for operator in Operator::ALL {
        let [no, yes] = results.get(&operator).copied().unwrap_or_default();
        assert!(no.min(yes) >= 20, "{operator:?}: {yes} match, {no} do not");
    }
    Ok(())
}

/// Calls `POST /filters/test`. Returns the status and the answer.
async fn try_filter(test: &Fixture, pattern: &str, payload: &str) -> Result<(StatusCode, Value)> {
    let body = format!(r#"{{"filter":{pattern},"event":{{"detail":{payload}}}}}"#);
    let path = ["filters", "test"];
    let answer = test
        .api
        .request_bytes(Method::POST, &path, &[], Some(Bytes::from(body)))
        .await?;
    Ok((answer.status, serde_json::from_slice(&answer.body)?))
}

#[tokio::test]
async fn the_api_tries_a_filter_as_the_emulator_does() -> Result<()> {
    let test = Fixture::new("filters-api").await?;
    let emulator = Emulator::of(&test.stack);
    let mut results = [0, 0];
    for pair in pairs(seed()?).into_iter().take(PAIRS_OF_THE_API) {
        let (pattern, payload) = (&pair.pattern, &pair.payload);
        let (status, answer) = try_filter(&test, pattern, payload).await?;
        let Some(here) = answer["matches"].as_bool() else {
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{pattern}");
            assert!(domain_matches(pattern, payload).is_err(), "{answer}");
            continue;
        };
        assert_eq!(status, StatusCode::OK);
        let agree = emulator.matches(pattern, payload).await? == Some(here);
        assert!(
            agree || DIFFERENCES.iter().any(|known| known.is_in(&pair, here)),
            "here {here}: {pattern} {payload}"
        );
        results[usize::from(here)] += 1;
    }
    assert!(results.iter().all(|count| *count >= 5), "{results:?}");
    Ok(())
}

/// A case in which a filter and the emulator's pattern disagree. The filter follows AWS's
/// documentation.
struct Difference {
    /// The words of the documentation.
    documentation: &'static str,
    pattern: &'static str,
    payload: &'static str,
    here: bool,
    /// Returns true if this case explains the difference on a pair.
    explains: fn(&Pair) -> bool,
}

const DIFFERENCES: [Difference; 1] = [
    // User guide, "Comparison operators", "Exists matching". The emulator looks at each object of
    // an array separately, and matches if one of them lacks the field.
    Difference {
        documentation: "works on the presence or absence of a field in the JSON of the event",
        pattern: r#"{"a":{"b":[{"exists":false}]}}"#,
        payload: r#"{"a":[{"b":1},{"c":1}]}"#,
        here: false,
        explains: |pair| {
            pair.operators.contains(&Operator::DoesNotExist)
                && nests_objects_in_an_array(&pair.payload)
        },
    },
];

impl Difference {
    fn is_in(&self, pair: &Pair, here: bool) -> bool {
        self.here == here && (self.explains)(pair)
    }
}

/// Returns true if an array of the payload holds two objects, or one object beside another value.
fn nests_objects_in_an_array(json: &str) -> bool {
    fn in_value(value: &Value) -> bool {
        match value {
            Value::Array(elements) => {
                elements.len() > 1 && elements.iter().any(|element| !is_flat(element))
                    || elements.iter().any(in_value)
            }
            Value::Object(members) => members.values().any(in_value),
            _ => false,
        }
    }
    fn is_flat(value: &Value) -> bool {
        match value {
            Value::Array(elements) => elements.iter().all(is_flat),
            value => !value.is_object(),
        }
    }
    serde_json::from_str(json).is_ok_and(|value| in_value(&value))
}

#[tokio::test]
async fn where_filters_differ_from_the_emulator_they_follow_the_documentation() -> Result<()> {
    let test = Fixture::new("filters-differ").await?;
    let emulator = Emulator::of(&test.stack);
    for difference in &DIFFERENCES {
        let Difference {
            documentation,
            pattern,
            payload,
            here,
            ..
        } = difference;
        assert_eq!(
            domain_matches(pattern, payload),
            Ok(*here),
            "{documentation}"
        );
        // If this fails, the emulator was corrected, and the difference can be removed.
        let there = emulator.matches(pattern, payload).await?;
        assert_eq!(there, Some(!here), "{documentation}");
    }
    Ok(())
}

/// The user guide says that for numbers "EventBridge uses string representation. For example,
/// 300, 300.0, and 3.0e2 are not considered equal". Its open matcher, Event Ruler, has compared
/// them by value since 2018, and so do the emulator and filters.
#[tokio::test]
async fn filters_and_the_emulator_compare_numbers_by_value() -> Result<()> {
    let test = Fixture::new("filters-numbers").await?;
    let emulator = Emulator::of(&test.stack);
    let forms = ["300", "300.0", "3.0e2", "3E2", "3000e-1"];
    for (wanted, form) in forms.iter().flat_map(|a| forms.iter().map(move |b| (a, b))) {
        let (pattern, payload) = (
            format!(r#"{{"a":[{wanted}]}}"#),
            format!(r#"{{"a":{form}}}"#),
        );
        assert_eq!(
            domain_matches(&pattern, &payload),
            Ok(true),
            "{pattern} {payload}"
        );
        assert_eq!(emulator.matches(&pattern, &payload).await?, Some(true));
    }
    Ok(())
}

/// Patterns that EventBridge accepts and that are refused here, with the message. A filter that
/// matches differently from EventBridge would be worse than a refusal.
const NOT_SUPPORTED: [(&str, &str); 5] = [
    (
        r#"{"a":[{"cidr":"010.0.0.0/8"}]}"#,
        "`a`: `cidr` must be addresses such as 10.0.0.0/8 or 2001:db8::/32, \
         with at most 31 or 127 bits",
    ),
    (
        r#"{"a":[{"exactly":"x"}]}"#,
        "`a`: `exactly` is not supported; the operators are prefix, suffix, wildcard, \
         equals-ignore-case, anything-but, numeric, cidr and exists",
    ),
    (
        r#"{"a.b":[1]}"#,
        "`a.b`: must have no dot in its name: write an object in an object",
    ),
    (
        r#"{"a\tb":[1]}"#,
        r"`a\tb`: must have no control character in its name",
    ),
    (r#"{"a":[1],"a":[2]}"#, "`a`: is named twice"),
];

#[tokio::test]
async fn an_unsupported_pattern_is_refused_and_not_evaluated_differently() -> Result<()> {
    let test = Fixture::new("filters-refused").await?;
    let emulator = Emulator::of(&test.stack);
    for (pattern, problem) in NOT_SUPPORTED {
        assert!(
            emulator.matches(pattern, "{}").await?.is_some(),
            "{pattern}"
        );
        let (status, answer) = try_filter(&test, pattern, "{}").await?;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{pattern}");
        assert_eq!(answer["field"], json!("filter"), "{pattern}");
        assert_eq!(answer["detail"], json!(format!("filter: {problem}")));
    }
    Ok(())
}

/// Patterns that neither EventBridge nor filters accept.
#[tokio::test]
async fn an_invalid_pattern_is_an_invalid_filter() -> Result<()> {
    let test = Fixture::new("filters-bad").await?;
    let emulator = Emulator::of(&test.stack);
    let seed = seed()?;
    let mut generator = Generator::new(seed);
    for _ in 0..PAIRS / 10 {
        let pattern = generator.damaged_pattern();
        let there = emulator.matches(&pattern, "{}").await?;
        assert_eq!(there, None, "{SEED}={seed}: {pattern}");
        let here = domain_matches(&pattern, "{}");
        assert!(here.is_err(), "{SEED}={seed}: {pattern}");
    }
    Ok(())
}
