//! `cargo xtask dashboard`: draws the template's dashboard.

use anyhow::{Context, Result};

use crate::process;
use crate::progress::note;
use crate::workspace::Workspace;

/// The path of the picture in the checkout.
const PICTURE: &str = "docs/dashboard.svg";

/// Draws the dashboard anew.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let svg = process::output(workspace.cargo().args([
        "run",
        "--quiet",
        "--package",
        crate::test::SYSTEM_TESTS,
        "--bin",
        "draw-dashboard",
    ]))?;
    let path = workspace.root().join(PICTURE);
    std::fs::write(&path, svg).with_context(|| format!("writing `{}`", path.display()))?;
    note(&format!("drawn in {PICTURE}"));
    Ok(())
}
