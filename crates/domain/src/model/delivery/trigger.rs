//! The reason why a delivery exists, or why it is attempted again.

use serde::{Deserialize, Serialize};

/// The reason why a delivery exists, or why it is attempted again after it had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryTrigger {
    /// An event matched the subscription.
    #[default]
    Event,
    /// It had ended or was held, and a user or a recovery resends it.
    Resend,
    /// A replay sends a message that the subscription never got.
    Replay,
    /// A user tests the subscription. It is attempted once, also while the subscription is paused,
    /// and its failure is reported to nobody. A resent test is still a test.
    Test,
}

impl DeliveryTrigger {
    /// Returns true for an event, which is the default.
    pub fn is_event(&self) -> bool {
        *self == Self::Event
    }

    /// Its name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Resend => "resend",
            Self::Replay => "replay",
            Self::Test => "test",
        }
    }

    /// The trigger after the delivery is made pending again.
    #[must_use]
    pub fn after_resend(self) -> Self {
        match self {
            Self::Test => Self::Test,
            Self::Event | Self::Resend | Self::Replay => Self::Resend,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_has_one_name_in_text_and_in_json() {
        for trigger in [
            DeliveryTrigger::Event,
            DeliveryTrigger::Resend,
            DeliveryTrigger::Replay,
            DeliveryTrigger::Test,
        ] {
            assert_eq!(serde_json::to_value(trigger).unwrap(), trigger.as_str());
        }
    }

    #[test]
    fn a_resent_test_is_still_a_test() {
        assert_eq!(DeliveryTrigger::Test.after_resend(), DeliveryTrigger::Test);
        let replayed = DeliveryTrigger::Replay;
        assert_eq!(replayed.after_resend(), DeliveryTrigger::Resend);
    }
}
