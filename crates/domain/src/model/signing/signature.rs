//! The signature of a request.

use crate::ids::MessageId;
use crate::signing::Secret;
use crate::timestamp::Timestamp;

/// The value of `webhook-signature`: one signature for each secret, separated by spaces.
pub fn signature_header(secrets: &[Secret], id: &MessageId, at: Timestamp, body: &[u8]) -> String {
    let content = signed_content(&id.to_string(), at.as_secs(), body);
    let entries: Vec<_> = secrets.iter().map(|secret| secret.sign(&content)).collect();
    entries.join(" ")
}

/// The signed content: `{id}.{timestamp}.{body}`, with the timestamp in whole seconds.
fn signed_content(id: &str, timestamp_secs: i64, body: &[u8]) -> Vec<u8> {
    [format!("{id}.{timestamp_secs}.").as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::PublicKey;
    use proptest::prelude::*;
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    use webhooks_testkit::SignedRequest;

    #[derive(serde::Deserialize)]
    struct Vectors {
        v1: Vec<Vector>,
        v1a: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        secret: String,
        public: Option<String>,
        id: String,
        timestamp: i64,
        body: String,
        signature: String,
    }

    #[test]
    fn signatures_equal_those_of_the_standard_webhooks_libraries() {
        let vectors: Vectors =
            serde_json::from_str(include_str!("../../../vectors/standard-webhooks.json")).unwrap();
        assert!(!vectors.v1.is_empty() && !vectors.v1a.is_empty());
        for vector in vectors.v1.into_iter().chain(vectors.v1a) {
            let secret: Secret = vector.secret.parse().unwrap();
            assert_eq!(
                secret.public_key().map(|key| key.to_string()),
                vector.public
            );
            let content = signed_content(&vector.id, vector.timestamp, vector.body.as_bytes());
            assert_eq!(secret.sign(&content), vector.signature);
        }
    }

    /// A secret made from this number, symmetric if it is even.
    fn secret(number: u8) -> Secret {
        let seed = [number; 32];
        if number.is_multiple_of(2) {
            return Secret::from_parts(&seed, None).unwrap();
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).unwrap();
        let public_key = pair.public_key().as_ref().try_into().unwrap();
        Secret::from_parts(&seed, Some(&PublicKey::from_bytes(public_key))).unwrap()
    }

    /// The receiver's key: the secret itself, or the public half.
    fn verification_key(secret: &Secret) -> String {
        let public_key = secret.public_key();
        public_key.map_or_else(|| secret.expose(), |key| key.to_string())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn only_the_receivers_of_the_secrets_verify_a_signature(
            numbers in proptest::sample::subsequence((0..20).collect::<Vec<u8>>(), 1..=5),
            body in proptest::collection::vec(any::<u8>(), 1..200),
            at_millis in 0..2_000_000_000_000_i64,
            position in any::<proptest::sample::Index>(),
        ) {
            let id = MessageId::from_event_id(&"acme".parse().unwrap(), "e");
            let at = Timestamp::from_millis(at_millis);
            let secrets: Vec<_> = numbers.into_iter().map(secret).collect();
            let signatures = signature_header(&secrets, &id, at, &body);
            let (id, timestamp) = (id.to_string(), at.as_secs().to_string());
            let request = SignedRequest { id: &id, timestamp: &timestamp, body: &body, signatures: &signatures };

            let mut tampered_body = body.clone();
            tampered_body[position.index(body.len())] ^= 1;
            let later = (at.as_secs() + 1).to_string();
            let tampered = [
                SignedRequest { body: &tampered_body, ..request },
                SignedRequest { timestamp: &later, ..request },
                SignedRequest { id: "msg_00000000000000000000000000000000", ..request },
            ];
            for key in secrets.iter().map(verification_key) {
                prop_assert!(request.verifies_with(&key), "{} in {}", key, signatures);
                for request in &tampered {
                    prop_assert!(!request.verifies_with(&key), "{:?}", request);
                }
            }
            for stranger in [secret(20), secret(21)] {
                prop_assert!(!request.verifies_with(&verification_key(&stranger)));
            }
            let entries = signatures.split(' ').filter_map(|entry| entry.split_once(','));
            let kinds: Vec<_> = entries.map(|(kind, _)| kind).collect();
            let expected: Vec<_> = secrets.iter().map(|secret| secret.kind().as_str()).collect();
            prop_assert_eq!(kinds, expected);
        }
    }
}
