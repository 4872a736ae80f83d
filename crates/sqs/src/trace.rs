//! The trace to which a queue message belongs. It is passed on to the messages that follow from it.

use aws_sdk_sqs::types::{MessageSystemAttributeNameForSends, MessageSystemAttributeValue};

/// The attribute in which SQS carries an X-Ray trace header.
const NAME: MessageSystemAttributeNameForSends = MessageSystemAttributeNameForSends::AwsTraceHeader;

tokio::task_local! {
    static HEADER: Option<String>;
}

/// Runs a future whose messages belong to the trace with this header.
pub async fn in_trace<T>(header: Option<&str>, run: impl Future<Output = T>) -> T {
    HEADER.scope(header.map(str::to_owned), run).await
}

/// The attribute for a message that is sent now. `None` outside a trace.
pub(crate) fn attribute() -> Option<(
    MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue,
)> {
    let header = HEADER.try_with(Clone::clone).ok().flatten()?;
    let value = MessageSystemAttributeValue::builder()
        .data_type("String")
        .string_value(header)
        .build()
        .expect("it has a type");
    Some((NAME, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_belongs_to_the_trace_that_it_is_sent_in() {
        let sent = |header| in_trace(header, async { attribute() });
        let (_, value) = sent(Some("Root=1-2-3")).await.unwrap();
        assert_eq!(value.string_value(), Some("Root=1-2-3"));
        assert!(sent(None).await.is_none());
        assert!(attribute().is_none());
    }
}
