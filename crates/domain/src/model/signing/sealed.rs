//! The secrets of a subscription, encrypted, and their rotation.

use std::time::Duration;

use super::{PublicKey, SecretKind};
use crate::timestamp::Timestamp;

/// A secret as it is stored in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// The number of the secret within its subscription, from 1.
    pub version: u32,
    /// The public half of an ed25519 key. A symmetric secret has none.
    pub public_key: Option<PublicKey>,
    /// The nonce, then the ciphertext with its tag.
    pub sealed: Vec<u8>,
}

impl SealedSecret {
    /// The kind of its signatures.
    pub fn kind(&self) -> SecretKind {
        match self.public_key {
            None => SecretKind::V1,
            Some(_) => SecretKind::V1a,
        }
    }
}

/// The secrets of a subscription. One is current, and old ones sign until they expire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecrets {
    current: SealedSecret,
    /// The old secrets, newest first.
    old: Vec<(SealedSecret, Timestamp)>,
}

/// There would be more signing secrets than [`SealedSecrets::MAX_SIGNING`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 0 while {max} secrets sign, which is the maximum", max = SealedSecrets::MAX_SIGNING)]
pub struct TooManySecrets;

impl SealedSecrets {
    /// The largest number of signing secrets. Each adds a signature to every request.
    pub const MAX_SIGNING: usize = 5;

    /// Only this secret.
    pub fn only(current: SealedSecret) -> Self {
        Self {
            current,
            old: Vec::new(),
        }
    }

    /// The stored secrets, in the order of [`iter`](Self::iter).
    pub fn from_stored(
        secrets: impl IntoIterator<Item = (SealedSecret, Option<Timestamp>)>,
    ) -> Option<Self> {
        let mut secrets = secrets.into_iter();
        let (current, None) = secrets.next()? else {
            return None;
        };
        let old = secrets
            .map(|(secret, expires_at)| Some((secret, expires_at?)))
            .collect::<Option<_>>()?;
        Some(Self { current, old })
    }

    /// The current secret, which does not expire, and then the old ones, newest first.
    pub fn iter(&self) -> impl Iterator<Item = (&SealedSecret, Option<Timestamp>)> {
        let old = self.old.iter();
        std::iter::once((&self.current, None))
            .chain(old.map(|(secret, expires_at)| (secret, Some(*expires_at))))
    }

    /// The current secret.
    pub fn current(&self) -> &SealedSecret {
        &self.current
    }

    /// The secrets that sign at this time, the current one first.
    pub fn signing_at(&self, at: Timestamp) -> impl Iterator<Item = &SealedSecret> {
        self.iter()
            .filter(move |(_, expires_at)| expires_at.is_none_or(|expires_at| at < expires_at))
            .map(|(secret, _)| secret)
    }

    /// The version of the next secret.
    pub fn next_version(&self) -> u32 {
        self.current.version + 1
    }

    /// Makes `next` the current secret. The previous one still signs during the overlap, and
    /// expired ones are dropped.
    pub fn rotate(
        self,
        next: SealedSecret,
        overlap: Overlap,
        now: Timestamp,
    ) -> Result<Self, TooManySecrets> {
        let before = (self.current, now + overlap.0);
        let mut old: Vec<_> = std::iter::once(before).chain(self.old).collect();
        old.retain(|(_, expires_at)| now < *expires_at);
        if old.len() < Self::MAX_SIGNING {
            Ok(Self { current: next, old })
        } else {
            Err(TooManySecrets)
        }
    }
}

/// The time for which a secret still signs after it was replaced: at most 7 days, and one day by
/// default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap(Duration);

impl Overlap {
    /// The longest overlap, in seconds.
    pub const MAX_SECS: u64 = 604_800;

    /// An overlap of whole seconds, at most [`MAX_SECS`](Self::MAX_SECS). With 0 the old secret
    /// ends at once.
    pub fn from_secs(secs: u64) -> Option<Self> {
        (secs <= Self::MAX_SECS).then_some(Self(Duration::from_secs(secs)))
    }
}

impl Default for Overlap {
    fn default() -> Self {
        Self(Duration::from_hours(24))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn sealed(version: u32) -> SealedSecret {
        SealedSecret {
            version,
            public_key: None,
            sealed: vec![0; 60],
        }
    }

    fn versions_at(secrets: &SealedSecrets, at: Timestamp) -> Vec<u32> {
        secrets
            .signing_at(at)
            .map(|secret| secret.version)
            .collect()
    }

    fn rotate(secrets: &SealedSecrets, overlap_secs: u64, now: Timestamp) -> SealedSecrets {
        let overlap = Overlap::from_secs(overlap_secs).unwrap();
        let next = sealed(secrets.next_version());
        secrets.clone().rotate(next, overlap, now).unwrap()
    }

    #[test]
    fn an_old_secret_signs_until_just_before_its_overlap_ends() {
        let secrets = rotate(&SealedSecrets::only(sealed(1)), 60, START);
        let end = START + Duration::from_mins(1);
        let just_before = START + Duration::from_millis(59_999);
        assert_eq!(versions_at(&secrets, just_before), [2, 1]);
        assert_eq!(versions_at(&secrets, end), [2]);
    }

    #[test]
    fn without_an_overlap_the_old_secret_is_dropped_at_once() {
        let secrets = rotate(&SealedSecrets::only(sealed(1)), 0, START);
        assert_eq!(secrets.iter().count(), 1);
    }

    #[test]
    fn a_sixth_secret_is_accepted_after_another_has_expired() {
        let mut secrets = SealedSecrets::only(sealed(1));
        for _ in 0..4 {
            secrets = rotate(&secrets, 3_600, START);
        }
        let sixth = sealed(secrets.next_version());
        let refused = secrets
            .clone()
            .rotate(sixth, Overlap::from_secs(1).unwrap(), START);
        assert_eq!(refused, Err(TooManySecrets));
        assert_eq!(
            versions_at(&rotate(&secrets, 0, START), START),
            [6, 4, 3, 2, 1]
        );
        let later = START + Duration::from_hours(1);
        assert_eq!(versions_at(&rotate(&secrets, 1, later), later), [6, 5]);
    }

    #[test]
    fn an_overlap_is_at_most_seven_days() {
        assert!(Overlap::from_secs(0).is_some());
        assert!(Overlap::from_secs(7 * 86_400).is_some());
        assert!(Overlap::from_secs(7 * 86_400 + 1).is_none());
        assert_eq!(Overlap::from_secs(86_400), Some(Overlap::default()));
    }

    #[test]
    fn stored_secrets_that_cannot_exist_are_refused() {
        let (current, old) = ((sealed(2), None), (sealed(1), Some(START)));
        for bad in [
            vec![],
            vec![old.clone()],
            vec![old.clone(), current.clone()],
            vec![current.clone(), current.clone()],
        ] {
            assert_eq!(SealedSecrets::from_stored(bad), None);
        }
        let secrets = SealedSecrets::from_stored([current, old]);
        assert_eq!(secrets.unwrap().iter().count(), 2);
    }

    fn rotations() -> impl Strategy<Value = Vec<(u64, u64)>> {
        let wait_secs = prop_oneof![1 => Just(0), 3 => 0..100_000_u64];
        let overlap_secs = prop_oneof![1 => Just(0), 3 => 0..=Overlap::MAX_SECS];
        proptest::collection::vec((wait_secs, overlap_secs), 0..20)
    }

    proptest! {
        /// Compares with a model that keeps every secret and filters by time.
        #[test]
        fn exactly_the_secrets_whose_overlap_lasts_sign(
            rotations in rotations(),
            probes in proptest::collection::vec(0..1_000_000_u64, 20),
        ) {
            let mut now = START;
            let mut secrets = SealedSecrets::only(sealed(1));
            // The expiry of each secret, by version from 1. The current one does not expire.
            let mut ends: Vec<Option<Timestamp>> = vec![None];
            let signing = |ends: &[Option<Timestamp>], at: Timestamp| -> Vec<u32> {
                let versions = 1..=u32::try_from(ends.len()).unwrap();
                let end_of = |version: &u32| ends[*version as usize - 1];
                let signs = |version: &u32| end_of(version).is_none_or(|end| at < end);
                versions.rev().filter(signs).collect()
            };
            for (wait_secs, overlap_secs) in rotations {
                now = now + Duration::from_secs(wait_secs);
                let mut rotated = ends.clone();
                *rotated.last_mut().unwrap() = Some(now + Duration::from_secs(overlap_secs));
                rotated.push(None);
                let next = sealed(secrets.next_version());
                let overlap = Overlap::from_secs(overlap_secs).unwrap();
                let Ok(changed) = secrets.clone().rotate(next, overlap, now) else {
                    prop_assert!(signing(&rotated, now).len() > SealedSecrets::MAX_SIGNING);
                    continue;
                };
                (secrets, ends) = (changed, rotated);
                prop_assert_eq!(secrets.current().version as usize, ends.len(), "contiguous");
                let endless = secrets.iter().filter(|(_, end)| end.is_none());
                prop_assert_eq!(endless.count(), 1);
                prop_assert!(secrets.iter().count() <= SealedSecrets::MAX_SIGNING);
                let stored = secrets.iter().map(|(secret, end)| (secret.clone(), end));
                let read = SealedSecrets::from_stored(stored.collect::<Vec<_>>());
                prop_assert_eq!(read.as_ref(), Some(&secrets));

                prop_assert_eq!(versions_at(&secrets, now), signing(&ends, now));
                let probes = probes.iter().map(|&secs| now + Duration::from_secs(secs));
                for at in probes.chain(ends.iter().copied().flatten().filter(|end| *end >= now)) {
                    prop_assert_eq!(versions_at(&secrets, at), signing(&ends, at));
                }
            }
        }
    }
}
