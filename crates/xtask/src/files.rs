//! The text files of the checkout, and files in general.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;

/// A text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Its path from the root of the checkout, with `/`.
    pub(crate) path: String,
    /// Its content.
    pub(crate) text: String,
}

impl File {
    /// Returns true if its name has this extension.
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension() == Some(extension.as_ref())
    }
}

/// Waits until no other command holds this lock. It ends when the file is dropped.
pub(crate) fn lock(path: &Path) -> Result<fs::File> {
    let file = process::create(path)?;
    file.lock()
        .with_context(|| format!("waiting for the lock `{}`", path.display()))?;
    Ok(file)
}

/// Copies the files of a folder, without its folders, to another folder.
pub(crate) fn copy_all(source: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
    for entry in fs::read_dir(source).with_context(|| at(source))? {
        let file = entry?.path();
        if file.is_file() {
            let name = file.file_name().unwrap_or_default();
            fs::copy(&file, folder.join(name))
                .with_context(|| format!("copying `{}`", file.display()))?;
        }
    }
    Ok(())
}

/// Returns the files with one of these extensions, sorted. Hidden folders, `target` and
/// `node_modules` are left out.
///
/// # Errors
/// If a folder or a file cannot be read.
pub(crate) fn with_extensions(root: &Path, extensions: &[&str]) -> Result<Vec<File>> {
    let mut paths = Vec::new();
    collect(root, extensions, &mut paths)?;
    paths.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).with_context(|| at(&path))?;
        let path = path.strip_prefix(root).unwrap_or(&path);
        let path = path.to_string_lossy().replace('\\', "/");
        Ok(File { path, text })
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, extensions: &[&str], into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| at(folder))? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            if name != "target" && name != "node_modules" && !name.starts_with('.') {
                collect(&path, extensions, into)?;
            }
        } else if path
            .extension()
            .is_some_and(|extension| extensions.iter().any(|known| extension == *known))
        {
            into.push(path);
        }
    }
    Ok(())
}

fn at(path: &Path) -> String {
    format!("reading `{}`", path.display())
}
