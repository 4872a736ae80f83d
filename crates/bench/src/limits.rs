//! Explains the limit of each figure that has a target, if it is known.

/// Parts of names, and the limits of the figures with such names.
const LIMITS: [(&str, &str); 5] = [
    (
        "bill/",
        "DynamoDB's writes, more than a third, two of five of them for the lists of the API; the event and the start of its workflow cost $2 by themselves",
    ),
    ("batch of ten", "the receiver's own 200 ms"),
    (
        "kept connection/CPU to bare",
        "the same: a delivery is one exchange with the endpoint and 1.2 with AWS, so that two bare exchanges would already be 2 x",
    ),
    (
        "kept connection/CPU",
        "the SDK's way to `UpdateItem`, one call for each delivery, above all (its orchestration and signing, by a profile with callgrind); then the kernel",
    ),
    (
        "cold-start/",
        "reading the machine's certificates, by a profile with callgrind",
    ),
];

/// Returns a sentence about the limit of the figure with this name. Empty if it is unknown.
pub(crate) fn limit_of(name: &str) -> &'static str {
    let known = LIMITS.iter().find(|(part, _)| name.contains(part));
    known.map_or("", |(_, limit)| limit)
}
