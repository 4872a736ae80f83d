//! The choices of options such as `--only`.

use clap::ValueEnum;

/// Returns the name of a choice on the command line.
pub(crate) fn name(choice: &impl ValueEnum) -> String {
    choice
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}
