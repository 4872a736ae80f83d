//! Asks for confirmation before an action that cannot be undone.

use std::io::{IsTerminal, stderr, stdin};

use crate::terminal::clean;
use anyhow::Result;
use clap::Args;
use clap::error::ErrorKind;

use crate::usage;

/// The option that gives the answer in advance.
#[derive(Args, Debug)]
pub(crate) struct Yes {
    /// Do not ask for confirmation.
    #[arg(long)]
    pub(crate) yes: bool,
}

impl Yes {
    /// Returns true if the action is confirmed. Asks on a terminal.
    ///
    /// # Errors
    /// A [`clap::Error`] if there is no terminal to ask on.
    pub(crate) fn confirmed(&self, question: &str) -> Result<bool> {
        if self.yes {
            return Ok(true);
        }
        if !stdin().is_terminal() || !stderr().is_terminal() {
            let text = "cannot ask without a terminal: give `--yes`";
            return Err(usage(ErrorKind::MissingRequiredArgument, text).into());
        }
        eprint!("{} [y/N] ", clean(question));
        let mut answer = String::new();
        stdin().read_line(&mut answer)?;
        Ok(is_yes(&answer))
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        assert!(is_yes("y\n") && is_yes(" YES\n"));
        assert!(!is_yes("") && !is_yes("\n") && !is_yes("no\n") && !is_yes("yep\n"));
    }
}
