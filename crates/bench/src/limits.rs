//! Explains the limit of each figure that has a target, if it is known.

/// Parts of names, and the limits of the figures with such names.
const LIMITS: [(&str, &str); 12] = [
    (
        "succeeded at once/dollars",
        "DynamoDB's writes are more than a third of it, and two of five writes are for the \
         lists of the API. The event and the start of its workflow alone cost $2",
    ),
    ("batch of ten", "the receiver's own 200 ms"),
    (
        "kept connection/instructions to bare exchanges",
        "the AWS SDK's calls, by a profile with callgrind: their signatures (it derives the \
         signing key anew for each call), then their allocations, copies and hash maps. Our own \
         code is a thirtieth",
    ),
    (
        "look-up/1 subscriptions",
        "the AWS SDK's call with its signature, then compressing the event, which saves a write \
         unit, then reading the event, by a profile with callgrind",
    ),
    (
        "kept connection/CPU to bare exchanges",
        "the AWS SDK's calls, by a profile with callgrind",
    ),
    (
        "kept connection/CPU to bare client",
        "the same. One request to the endpoint and 1.2 calls to AWS would already cost about \
         twice as much as the bare client",
    ),
    (
        "kept connection/CPU",
        "mostly the SDK's call of `UpdateItem`, once for each delivery (its orchestration and \
         signing, by a profile with callgrind), then the kernel",
    ),
    (
        "patience/first demo",
        "compiling about 300 crates, by its steps and the busy processors",
    ),
    (
        "patience/CI",
        "compiling for checks and for tests, then parts that wait for deliveries and run one after \
         the other, by its steps",
    ),
    (
        "own-time/build",
        "link-time optimisation: a program takes a core for about a minute, by the timings of \
         `cargo build --timings`",
    ),
    (
        "own-time/all timed parts",
        "waiting: the interleaved rounds, and the endpoints that hang",
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
