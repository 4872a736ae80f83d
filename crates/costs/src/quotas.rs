//! AWS's default quotas, as docs/limits.md has them, and the share that a workload uses.

use serde::Serialize;

/// A quota of an account in a Region.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// Its name.
    pub name: &'static str,
    /// The amount that the workload uses.
    pub used: f64,
    /// AWS's default.
    pub default: f64,
    /// The amount to ask for. `None` if the default is enough, or if AWS raises it for nobody.
    pub raise_to: Option<f64>,
}

/// A default that is raised when this share of it is used.
const ENOUGH_SHARE: f64 = 0.8;
/// The reserve of what is asked for.
const RESERVE: f64 = 1.5;

impl Quota {
    pub(crate) fn new(name: &'static str, used: f64, default: f64) -> Self {
        let quota = Self {
            name,
            used,
            default,
            raise_to: None,
        };
        Self {
            raise_to: quota.is_tight().then(|| two_digits(used * RESERVE)),
            ..quota
        }
    }

    /// A quota that is the same for everybody.
    pub(crate) fn fixed(name: &'static str, used: f64, default: f64) -> Self {
        Self {
            raise_to: None,
            ..Self::new(name, used, default)
        }
    }

    /// Returns true if the workload uses most of the default, or more.
    pub fn is_tight(&self) -> bool {
        self.share() > ENOUGH_SHARE
    }

    /// The used share.
    pub fn share(&self) -> f64 {
        self.used / self.default
    }
}

/// Rounds up to two significant digits.
fn two_digits(amount: f64) -> f64 {
    let step = 10_f64.powf(amount.log10().floor() - 1.0);
    (amount / step).ceil() * step
}

/// The Regions of the partition `aws`, by the invocations of targets a second (EventBridge quotas,
/// "Invocations throttle limit in transactions per second").
const INVOCATIONS_PER_SECOND: [(f64, &[&str]); 5] = [
    (18_750.0, &["us-east-1", "us-west-2", "eu-west-1"]),
    (4_500.0, &["us-east-2", "eu-central-1"]),
    (
        2_250.0,
        &[
            "us-west-1",
            "ap-northeast-1",
            "ap-southeast-1",
            "ap-southeast-2",
            "eu-west-2",
        ],
    ),
    (
        1_100.0,
        &[
            "ap-east-1",
            "ap-east-2",
            "ap-northeast-2",
            "ap-south-1",
            "ap-south-2",
            "ap-southeast-4",
            "ap-southeast-5",
            "ap-southeast-6",
            "ap-southeast-7",
            "ca-central-1",
            "ca-west-1",
            "eu-central-2",
            "eu-north-1",
            "eu-south-2",
            "eu-west-3",
            "il-central-1",
            "me-central-1",
            "me-south-1",
            "mx-central-1",
            "sa-east-1",
        ],
    ),
    (
        750.0,
        &[
            "af-south-1",
            "ap-northeast-3",
            "ap-southeast-3",
            "eu-south-1",
        ],
    ),
];

/// The default quotas of a Region are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("region: must be one of {}, is `{}`", known_regions(), .0.escape_debug())]
pub struct UnknownRegion(String);

/// Returns the invocations of targets a second in a Region.
pub(crate) fn invocations_per_second(region: &str) -> Result<f64, UnknownRegion> {
    let mut groups = INVOCATIONS_PER_SECOND.iter();
    let found = groups.find(|(_, regions)| regions.contains(&region));
    found
        .map(|(invocations, _)| *invocations)
        .ok_or_else(|| UnknownRegion(region.to_owned()))
}

fn known_regions() -> String {
    let groups = INVOCATIONS_PER_SECOND.iter();
    let regions = groups.flat_map(|(_, regions)| regions.iter().copied());
    let mut regions = regions.collect::<Vec<_>>();
    regions.sort_unstable();
    regions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_raised_before_it_is_reached() {
        assert_eq!(Quota::new("a", 800.0, 1_000.0).raise_to, None);
        assert_eq!(Quota::new("a", 801.0, 1_000.0).raise_to, Some(1_300.0));
        assert_eq!(Quota::new("a", 10_000.0, 6_000.0).raise_to, Some(15_000.0));
        let fixed = Quota::fixed("a", 1_200.0, 1_000.0);
        assert!(fixed.is_tight() && fixed.raise_to.is_none());
    }
}
