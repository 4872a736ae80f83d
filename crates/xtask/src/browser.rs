//! The pages of the portal in a real browser, and their screenshots.
//!
//! The browser is Chromium from npm's `@sparticuz/chromium`, so that it needs neither root nor a
//! package manager. `tests/browser` has the scripts and pins the packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::node::Node;
use crate::programs::{Programs, Variant};
use crate::progress::step;
use crate::workspace::Workspace;
use crate::{files, process};

/// The folder of the scripts, relative to the checkout.
const SCRIPTS: &str = "tests/browser";
/// The folder of the screenshots, relative to the checkout.
const IMAGES: &str = "docs/images";

/// Visits every page of the portal, with sample data, in light and dark, on a phone and on a desk.
pub(crate) fn test(workspace: &Workspace) -> Result<()> {
    process::run(&mut gallery(workspace)?)
}

/// The environment of tests that start the browser themselves: Node.js, and the script that drives the
/// browser for them.
pub(crate) fn environment(workspace: &Workspace) -> Result<Vec<(&'static str, PathBuf)>> {
    let (node, scripts) = install(workspace)?;
    Ok(vec![
        ("WEBHOOKS_NODE", node.program().to_owned()),
        ("WEBHOOKS_BROWSER_DRIVER", scripts.join("driver.mjs")),
        // The browser is unpacked here once.
        ("TMPDIR", temporary(&scripts)?),
    ])
}

/// Tests the pages, and writes the screenshots of the docs.
pub(crate) fn screenshots(workspace: &Workspace) -> Result<()> {
    process::run(gallery(workspace)?.arg(workspace.root().join(IMAGES)))
}

/// Writes the pages to a folder, and returns a command that visits them.
fn gallery(workspace: &Workspace) -> Result<Command> {
    let (node, scripts) = install(workspace)?;
    let programs = Programs::build(workspace, Variant::Gallery)?;
    let pages = workspace.root().join("target/gallery");
    empty(&pages)?;
    process::run(Command::new(programs.path("gallery")?).arg(&pages))?;
    let mut command = node.command(&scripts.join("gallery.mjs"));
    command
        .arg(&pages)
        // The browser is unpacked here once.
        .env("TMPDIR", temporary(&scripts)?);
    Ok(command)
}

/// Copies the scripts to a folder, and installs their packages there unless they are installed.
fn install(workspace: &Workspace) -> Result<(Node, PathBuf)> {
    let node = Node::install(workspace)?;
    let folder = workspace.tools_dir().join("browser");
    let source = workspace.root().join(SCRIPTS);
    files::copy_all(&source, &folder)?;
    let lock = fs::read_to_string(source.join("package-lock.json"))
        .context("reading the pinned packages of the browser tests")?;
    let stamp = folder.join("stamp");
    if fs::read_to_string(&stamp).unwrap_or_default() != lock {
        step("install the browser", || {
            // A browser of another version would not be unpacked again.
            empty(&folder.join("tmp"))?;
            // No script of a package runs at its installation.
            let arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
            node.npm(&folder, &arguments)?;
            fs::write(&stamp, &lock).context("writing the stamp of the browser")
        })?;
    }
    Ok((node, folder))
}

fn temporary(scripts: &Path) -> Result<PathBuf> {
    let folder = scripts.join("tmp");
    fs::create_dir_all(&folder).with_context(|| format!("making `{}`", folder.display()))?;
    Ok(folder)
}

/// Creates a folder, or removes all that it contains.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("removing `{}`", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))
}
