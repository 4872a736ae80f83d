//! Checks a request's Standard Webhooks signature, and explains why it is invalid.
//!
//! The official library decides about `v1`: it computes the expected signature. It does not
//! support `v1a`, which is ed25519 over the same content.

mod key;

pub(crate) use key::Key;

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Serialize;
use webhooks_domain::timestamp::Timestamp;

use crate::pretty;
use crate::when::span;

/// The largest difference between a timestamp and the present time, as in the official
/// libraries.
const TOLERANCE: Duration = Duration::from_mins(5);

/// The signed parts of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signed<'a> {
    /// `webhook-id`
    pub(crate) id: Option<&'a str>,
    /// `webhook-timestamp`
    pub(crate) timestamp: Option<&'a str>,
    /// `webhook-signature`
    pub(crate) signatures: Option<&'a str>,
    /// The raw bytes.
    pub(crate) body: &'a [u8],
}

/// The result of checking a request.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    /// True if a receiver accepts the request.
    pub(crate) valid: bool,
    /// The version of the valid signature, even if the timestamp is invalid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signed_with: Option<&'static str>,
    /// The age of the timestamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age_seconds: Option<i64>,
    /// The reasons why it is invalid.
    pub(crate) reasons: Vec<Reason>,
}

/// One reason.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Reason {
    /// A fixed code.
    pub(crate) code: &'static str,
    /// A text for people.
    pub(crate) text: String,
}

fn reason(code: &'static str, text: impl Into<String>) -> Reason {
    let text = text.into();
    Reason { code, text }
}

impl Signed<'_> {
    /// Checks a request with all secrets that may have signed it.
    pub(crate) fn check(&self, keys: &[Key], now: Timestamp) -> Verdict {
        let mut reasons = Vec::new();
        let id = self.id.unwrap_or_default();
        if id.is_empty() {
            reasons.push(reason("idMissing", "the webhook-id is missing"));
        }
        let time = self.time(now).map_err(|reason| reasons.push(reason)).ok();
        let entries = self
            .entries(keys)
            .map_err(|reason| reasons.push(reason))
            .ok();
        let mut signed_with = None;
        if let (false, Some(seconds), Some(entries)) = (id.is_empty(), time, &entries) {
            let content = Content {
                id,
                seconds,
                body: self.body,
            };
            signed_with = content.signed_with(keys, entries);
            if signed_with.is_none() {
                reasons.push(content.mismatch(keys, entries));
            }
        }
        let age_seconds = time.map(|seconds| now.as_secs() - seconds);
        reasons.extend(age_seconds.and_then(out_of_time));
        Verdict {
            valid: reasons.is_empty(),
            signed_with,
            age_seconds,
            reasons,
        }
    }

    /// Returns the timestamp in seconds.
    fn time(&self, now: Timestamp) -> Result<i64, Reason> {
        let text = self.timestamp.unwrap_or_default();
        if text.is_empty() {
            return Err(reason(
                "timestampMissing",
                "the webhook-timestamp is missing",
            ));
        }
        let bad = |what| reason("timestampMalformed", format!("the timestamp {what}"));
        match text.parse::<i64>() {
            // Thirty thousand years in the future.
            Ok(number) if number / 1_000 > now.as_secs() / 10 && number > 100_000_000_000 => Err(
                bad("is in milliseconds: it must be whole seconds since 1970"),
            ),
            Ok(seconds) => Ok(seconds),
            Err(_) => Err(bad("is not a number: it must be whole seconds since 1970")),
        }
    }

    /// Returns the signatures of a version that one of the keys can verify.
    fn entries(&self, keys: &[Key]) -> Result<Vec<Entry>, Reason> {
        let text = self.signatures.unwrap_or_default();
        if text.trim().is_empty() {
            return Err(reason(
                "signatureMissing",
                "the webhook-signature is missing",
            ));
        }
        let (mut entries, mut kinds, mut problem) = (Vec::new(), Vec::new(), None);
        for part in text.split_whitespace() {
            let Some((kind, signature)) = part.split_once(',') else {
                problem = Some(
                    "a signature has no version prefix: it must be `v1,` and base64".to_owned(),
                );
                continue;
            };
            kinds.push(kind);
            if !keys.iter().any(|key| key.kind() == kind) {
                continue;
            }
            let expected = if kind == "v1" { 32 } else { 64 };
            match BASE64_STANDARD.decode(signature) {
                Ok(bytes) if bytes.len() == expected => entries.push(Entry {
                    kind: kind.to_owned(),
                    bytes,
                }),
                Ok(bytes) => {
                    let len = bytes.len();
                    problem = Some(format!(
                        "a {kind} signature has {len} bytes of {expected}: it is cut off"
                    ));
                }
                Err(_) => {
                    problem = Some(format!(
                        "a {kind} signature is not base64: it is cut off, or was changed"
                    ));
                }
            }
        }
        match (entries.is_empty(), problem) {
            (false, _) => Ok(entries),
            (true, Some(problem)) => Err(reason("signatureMalformed", problem)),
            (true, None) => Err(wrong_kind(&kinds, keys)),
        }
    }
}

/// Explains that no signature has a version that a key can verify.
fn wrong_kind(kinds: &[&str], keys: &[Key]) -> Reason {
    let has = kinds.join(", ");
    let Some(known) = kinds.iter().find(|kind| matches!(**kind, "v1" | "v1a")) else {
        let text = format!("the signature has version `{has}`: only `v1` and `v1a` are known");
        return reason("versionUnknown", text);
    };
    let (have, need) = match *known {
        "v1" => ("whpk_… (v1a)", "whsec_…"),
        _ => ("whsec_… (v1)", "the public key whpk_…"),
    };
    debug_assert!(keys.iter().all(|key| key.kind() != *known));
    reason(
        "wrongKind",
        format!("it is signed with {has}, but the secret is {have}: verify with {need}"),
    )
}

fn out_of_time(age_seconds: i64) -> Option<Reason> {
    let distance = Duration::from_secs(age_seconds.unsigned_abs());
    if distance <= TOLERANCE {
        return None;
    }
    let (distance, most) = (span(distance), span(TOLERANCE));
    Some(if age_seconds > 0 {
        let text = format!("the timestamp is {distance} old: receivers accept at most {most}");
        reason("timestampTooOld", text)
    } else {
        let text = format!(
            "the timestamp is {distance} ahead: receivers accept at most {most}. Check the clock."
        );
        reason("timestampAhead", text)
    })
}

/// A signature of a request.
struct Entry {
    kind: String,
    bytes: Vec<u8>,
}

/// The signed content.
#[derive(Clone, Copy)]
struct Content<'a> {
    id: &'a str,
    seconds: i64,
    body: &'a [u8],
}

impl Content<'_> {
    fn signed_with(&self, keys: &[Key], entries: &[Entry]) -> Option<&'static str> {
        let signs = |key: &&Key| {
            let mut entries = entries.iter().filter(|entry| entry.kind == key.kind());
            entries.any(|entry| key.signs(self.id, self.seconds, self.body, &entry.bytes))
        };
        keys.iter().find(signs).map(Key::kind)
    }

    /// Finds the most likely reason why no signature is valid.
    fn mismatch(&self, keys: &[Key], entries: &[Entry]) -> Reason {
        let is_right = |content: Content<'_>| content.signed_with(keys, entries).is_some();
        for (how, body) in changed_bodies(self.body) {
            if is_right(Content {
                body: &body,
                ..*self
            }) {
                return reason(
                    "bodyChanged",
                    format!("the body was changed after it was signed: {how}"),
                );
            }
        }
        for (how, id) in [
            ("has white space around it", self.id.trim().to_owned()),
            ("lacks its `msg_`", format!("msg_{}", self.id)),
        ] {
            if is_right(Content { id: &id, ..*self }) {
                return reason("idChanged", format!("the webhook-id {how}"));
            }
        }
        if std::str::from_utf8(self.body).is_err() {
            return reason(
                "bodyNotText",
                "the body is not UTF-8, unlike every body that a stack sends",
            );
        }
        let secrets = match keys.len() {
            1 => "the secret is the wrong one".to_owned(),
            count => format!("all {count} secrets are wrong"),
        };
        reason(
            "signatureWrong",
            format!(
                "no signature is valid: either {secrets} (another subscription's, or rotated since), or \
                 id, timestamp or body differ from the signed ones. The body must be the raw bytes; \
                 this one has {}",
                self.body.len()
            ),
        )
    }
}

/// Returns bodies that a proxy or a framework may have changed into this one.
fn changed_bodies(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut bodies = vec![
        (
            "the line feed at its end is missing",
            [body, b"\n"].concat(),
        ),
        ("there is white space around it", body.trim_ascii().to_vec()),
    ];
    if let Some(rest) = body.strip_suffix(b"\n") {
        let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        bodies.insert(0, ("there is a line feed at its end", rest.to_vec()));
    }
    if let Some(rest) = body.strip_prefix("\u{feff}".as_bytes()) {
        bodies.push(("there is a byte order mark in front", rest.to_vec()));
    }
    if let Ok(text) = std::str::from_utf8(body) {
        let unix = text.replace("\r\n", "\n");
        bodies.push(("its line ends became CRLF", unix.into_bytes()));
    }
    if let Some(compact) = pretty::compact(body) {
        bodies.push((
            "its JSON was formatted anew, with other white space",
            compact.into_bytes(),
        ));
    }
    bodies
}

#[cfg(test)]
mod tests;
