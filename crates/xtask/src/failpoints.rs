//! Recognises programs for tests or measurements, which must not be deployed.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// The variable that functions with failpoints read. Its name is in no other program.
pub(crate) const FOLDER_VARIABLE: &str = "FAILPOINTS_FOLDER";

/// The variable with the additional certificate authority, read by functions for measurements.
pub(crate) const AUTHORITY_VARIABLE: &str = "BENCH_AUTHORITY_FILE";

/// Returns true if a program was built with failpoints.
pub(crate) fn are_in(program: &Path) -> Result<bool> {
    reads(program, FOLDER_VARIABLE)
}

/// Returns true if a program was built for a measurement.
pub(crate) fn trusts_an_authority(program: &Path) -> Result<bool> {
    reads(program, AUTHORITY_VARIABLE)
}

fn reads(program: &Path, variable: &str) -> Result<bool> {
    let bytes = fs::read(program).with_context(|| format!("reading `{}`", program.display()))?;
    let marker = variable.as_bytes();
    Ok(bytes.windows(marker.len()).any(|window| window == marker))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_with_failpoints_is_recognised_by_its_variable() {
        let program = std::env::temp_dir().join(format!("xtask-program-{}", std::process::id()));
        fs::write(&program, b"\0\x01FAILPOINTS_FOLDER\xff").unwrap();
        let with = are_in(&program).unwrap();
        fs::write(&program, b"\0\x01FAILPOINTS_FOLD\xff").unwrap();
        let without = are_in(&program).unwrap();
        fs::remove_file(&program).unwrap();
        assert!(with && !without);
    }

    #[test]
    fn features_for_tests_and_measurements_are_no_default() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../functions/deliver-webhook/Cargo.toml");
        let manifest: toml::Table = toml::from_str(&fs::read_to_string(manifest).unwrap()).unwrap();
        let features = manifest["features"].as_table().unwrap();
        assert!(features.contains_key("failpoints") && features.contains_key("bench"));
        assert!(!features.contains_key("default"));
    }
}
