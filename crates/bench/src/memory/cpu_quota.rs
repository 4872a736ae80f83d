//! A CPU quota like that of Lambda, by a control group of Linux.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};

/// The memory that comes with one vCPU
/// ([memory](https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html)).
pub(super) const MEGABYTES_OF_A_CPU: u32 = 1_769;

/// The period in which the share of the CPU may be used. Lambda's is not documented; this is the
/// one that measurements from inside of functions have found.
pub(super) const PERIOD_MICROS: u32 = 20_000;

/// Both versions of control groups, with the file that exists only there.
const VERSION_2: &str = "/sys/fs/cgroup/cgroup.controllers";
const VERSION_1: &str = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us";

/// A control group. It is removed when the value is dropped, so drop its processes before it.
pub(super) struct CpuQuota {
    folder: PathBuf,
}

impl CpuQuota {
    /// Creates a group with the quota of this much memory.
    pub(super) fn new(megabytes: u32) -> Result<Self> {
        let version_2 = PathBuf::from(VERSION_2).exists();
        let root = if version_2 { VERSION_2 } else { VERSION_1 };
        let root = PathBuf::from(root);
        let root = root.parent().context("no folder of control groups")?;
        let folder = root.join(format!("webhooks-bench-{}-{megabytes}", std::process::id()));
        fs::create_dir(&folder).with_context(|| {
            format!(
                "making the control group `{}`: run it as root",
                folder.display()
            )
        })?;
        let group = Self { folder };
        let quota = PERIOD_MICROS * megabytes / MEGABYTES_OF_A_CPU;
        if version_2 {
            group.write("cpu.max", &format!("{quota} {PERIOD_MICROS}"))?;
        } else {
            group.write("cpu.cfs_period_us", &PERIOD_MICROS.to_string())?;
            group.write("cpu.cfs_quota_us", &quota.to_string())?;
        }
        Ok(group)
    }

    /// Returns the file to which a process writes its id to become a member.
    pub(super) fn members(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| format!("writing `{}`", path.display()))
    }
}

impl Drop for CpuQuota {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.folder);
    }
}
