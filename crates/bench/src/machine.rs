//! Describes the machine and the date, for readers of the figures.

use std::fs;

use anyhow::Result;
use time::{OffsetDateTime, macros::format_description};

/// Returns the date in UTC.
pub(crate) fn today() -> Result<String> {
    let format = format_description!("[year]-[month]-[day]");
    Ok(OffsetDateTime::now_utc().format(format)?)
}

/// Returns the processor, number of cores, memory and kernel.
pub(crate) fn describe() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let model = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = read("/proc/meminfo");
    let gibibytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"))
        .and_then(|kibibytes| kibibytes.parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes.div_ceil(1_048_576));
    let kernel = read("/proc/sys/kernel/osrelease");
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let architecture = std::env::consts::ARCH;
    format!("{model} ({architecture}), {cores} cores, {gibibytes} GiB, Linux {kernel}")
}
